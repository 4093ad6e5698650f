package main

import (
	"context"
	"errors"
	"runtime/debug"

	"mailsetup/internal/check/report"
	"mailsetup/internal/console"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard"
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
	var findings spec.Findings
	if errors.As(err, &findings) {
		for _, f := range findings {
			c.Tell("mailsetup: " + text.Printable(spec.Finding{Field: f.Field, Text: f.Text}.String()))
			c.Hints(hint.Lines(f.Hint))
		}
		return exitUsage
	}
	code, hints := exitCode(err)
	c.Tell("mailsetup: " + message(err))
	c.Hints(hints)
	return code
}

// message returns the text of an error for a person, without control characters.
func message(err error) string {
	if errors.Is(err, wizard.ErrAborted) {
		return "interrupted"
	}
	return hint.Message(err)
}

// exitCode returns the exit code for an error, and the hints to print.
func exitCode(err error) (code int, hints []string) {
	switch hints = machine.Hints(err); {
	case machine.LeftChanged(err):
		return exitNotUndone, nil // it names the commands itself
	case errors.Is(err, wizard.ErrAborted), errors.Is(err, context.Canceled):
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
	if c.Watch != nil && c.Watch.Began() {
		c.Hints([]string{"mailsetup recover puts back what was begun"})
		return exitNotUndone
	}
	return exitFailed
}
