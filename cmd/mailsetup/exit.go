package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/apt"
	"mailsetup/internal/dnspub"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
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

// failure is an error with its exit code and the command that helps.
type failure struct {
	code int
	err  error
	hint string // a line each
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(hint, format string, a ...any) error {
	return &failure{exitFailed, fmt.Errorf(format, a...), hint}
}

func usage(hint, format string, a ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, a...), hint}
}

// changesFound is not an error of anybody's: --dry-run --exit-code has its
// answer in the exit code.
var errChangesFound = errors.New("changes found")

// finish prints an error as people read it, one line and its hint, and
// returns the exit code.
func (c console) finish(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errChangesFound) || errors.Is(err, errProblemsFound) {
		return exitFound
	}
	var findings spec.Findings
	if errors.As(err, &findings) {
		for _, f := range findings {
			c.say("mailsetup: %s", plan.Printable(spec.Finding{Field: f.Field, Text: f.Text}.String()))
			c.hints(nonEmpty(f.Hint))
		}
		return exitUsage
	}
	code, hints := judge(err)
	c.say("mailsetup: %s", harmless(err))
	c.hints(hints)
	return code
}

// told is an error as a person reads it. Who typed Ctrl-C knows why.
func told(err error) string {
	if errors.Is(err, wizard.ErrAborted) || err == context.Canceled {
		return "interrupted"
	}
	text := strings.TrimRight(err.Error(), "\n")
	if errors.Is(err, context.Canceled) {
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	return text
}

// harmless is what an error tells, without what a terminal would obey: others
// may have written it into DNS or into a file. A refusal is one line, so that
// nobody adds a hint to it.
func harmless(err error) string {
	text := told(err)
	if refusal := (*steps.Refusal)(nil); errors.As(err, &refusal) {
		return plan.Printable(text)
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = plan.Printable(l)
	}
	return strings.Join(lines, "\n")
}

func (c console) hints(hints []string) {
	for _, h := range hints {
		c.say("hint: %s", plan.Printable(h))
	}
}

// judge maps an error to its exit code and hints.
func judge(err error) (code int, hints []string) {
	var (
		f         *failure
		refusal   *steps.Refusal
		notUndone *apply.NotUndone
		packages  *apt.Error
		unusable  *system.UnusableError
		server    *dnspub.ServerError
		consent   *missingConsent
	)
	switch {
	case errors.As(err, &notUndone):
		return exitNotUndone, nil // it names the commands itself
	case errors.Is(err, wizard.ErrAborted), errors.Is(err, context.Canceled):
		return exitInterrupted, nil
	case errors.As(err, &f):
		return f.code, strings.FieldsFunc(f.hint, func(r rune) bool { return r == '\n' })
	case errors.As(err, &consent):
		return exitUsage, consent.hints()
	case errors.As(err, &packages):
		return exitFailed, nonEmpty(packages.Hint())
	case errors.As(err, &refusal):
		return exitUsage, slices.Concat(nonEmpty(refusal.Hint), refusal.Then, keeping(refusal))
	case errors.As(err, &unusable):
		return exitUsage, nonEmpty(unusable.Hint)
	case errors.As(err, &server):
		return exitFailed, nonEmpty(server.Hint)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return exitFailed, []string{"run it as root (sudo)"}
	default:
		return exitFailed, nil
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
