package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"mailsetup/internal/check/report"
	"mailsetup/internal/console"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/machine"
	"mailsetup/internal/prompt"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/text"
)

// Exit codes, stable.
const (
	exitDone        = 0
	exitFailed      = 1   // the machine is as it was
	exitUsage       = 2   // usage, or a spec that makes no sense; nothing touched
	exitFound       = 3   // --dry-run --exit-code found changes, or a check found problems
	exitNotUndone   = 4   // failed, and not fully undone
	exitUnwritten   = 5   // done or found, but the result could not be written
	exitInterrupted = 130 // interrupted and undone
)

// fail and usage are hint.New and hint.NewUsage.
func fail(lines, format string, a ...any) error { return hint.New(lines, format, a...) }

func usage(lines, format string, a ...any) error { return hint.NewUsage(lines, format, a...) }

// errChangesFound ends a --dry-run --exit-code whose answer is the exit code.
var errChangesFound = errors.New("changes found")

// finish prints an error, one line and its hints, and returns the exit code.
func finish(c console.Console, err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errChangesFound) || errors.Is(err, errProblemsFound) {
		return exitFound
	}
	if state, is := errors.AsType[report.NagiosState](err); is {
		return int(state)
	}
	e := failure(c, err)
	var findings syntax.Findings
	if errors.As(err, &findings) {
		for i, line := range strings.Split(e.Message, "\n") {
			c.Tell("mailsetup: " + line)
			c.Hints(hint.Lines(findings[i].Hint))
		}
	} else {
		_, hints := exitCode(err)
		c.Tell("mailsetup: " + e.Message)
		c.Hints(hints)
	}
	printFailure(c, *e)
	return e.Exit
}

// failure returns an error as data, with the hints as they have to be typed.
func failure(c console.Console, err error) *jsondoc.Error {
	var findings syntax.Findings
	if !errors.As(err, &findings) {
		code, hints := exitCode(err)
		return &jsondoc.Error{Message: message(err), Hints: c.Typed().Lines(hints), Exit: code}
	}
	e := &jsondoc.Error{Exit: exitUsage}
	for i, f := range findings {
		if i > 0 {
			e.Message += "\n"
		}
		e.Message += text.Printable(syntax.Finding{Field: f.Field, Text: f.Text}.String())
		e.Hints = append(e.Hints, c.Typed().Lines(hint.Lines(f.Hint))...)
	}
	return e
}

// printFailure prints the error of a run that was asked for data and has printed none.
func printFailure(c console.Console, e jsondoc.Error) {
	if text.AsksForJSON(c.Args) && !c.Printed() {
		_ = jsondoc.Write(c.Out, jsondoc.Failure{Error: e}) // who reads it is told of a lost result by Deliver
	}
}

// message returns the text of an error for a person, without control characters.
func message(err error) string {
	if errors.Is(err, prompt.ErrAborted) {
		return "interrupted"
	}
	return hint.Message(err)
}

// exitCode returns the exit code for an error, and the hints to print.
func exitCode(err error) (code int, hints []string) {
	switch hints = machine.Hints(err); {
	case machine.LeftChanged(err):
		return exitNotUndone, nil // it names the commands itself
	case errors.Is(err, prompt.ErrAborted), errors.Is(err, context.Canceled):
		return exitInterrupted, hint.Of(err)
	case hint.IsUsage(err):
		return exitUsage, hints
	default:
		return exitFailed, hints
	}
}

// crashed says where the program was when a fault of its own ended a command.
func crashed(c console.Console, fault any) int {
	c.Say("mailsetup: internal error: %v\n%s", fault, debug.Stack())
	e := jsondoc.Error{Message: text.Printable(fmt.Sprintf("internal error: %v", fault)), Exit: exitFailed}
	if c.Watch != nil && c.Watch.Began() {
		hints := []string{"mailsetup recover puts back what was begun"}
		c.Hints(hints)
		e.Hints, e.Exit = c.Typed().Lines(hints), exitNotUndone
	}
	printFailure(c, e)
	return e.Exit
}
