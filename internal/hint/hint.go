// Package hint is for errors that tell a person what to type.
//
// An error of any package joins in with a method Hints() []string, and with a
// method IsUsage() bool where the fault is in what was asked for and nothing was
// touched.
package hint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailsetup/internal/text"
)

// Error is an error with what a person can type about it, a line each.
type Error struct {
	Err   error
	Lines []string
	Usage bool // what was asked for makes no sense; nothing was touched
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its hints.
func (e *Error) Unwrap() error { return e.Err }

// Hints returns what a person can type, a line each.
func (e *Error) Hints() []string { return e.Lines }

// IsUsage reports whether the fault is in what was asked for.
func (e *Error) IsUsage() bool { return e.Usage }

// New returns an error with hints, one for each line that is not empty.
func New(lines, format string, a ...any) error {
	return &Error{Err: fmt.Errorf(format, a...), Lines: Lines(lines)}
}

// NewUsage is New for a fault in what was asked for: nothing was touched.
func NewUsage(lines, format string, a ...any) error {
	return &Error{Err: fmt.Errorf(format, a...), Lines: Lines(lines), Usage: true}
}

// Lines returns the lines of a text that are not empty.
func Lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// One returns a hint that is one line, whatever others wrote into it; nil for none.
func One(line string) []string {
	if line == "" {
		return nil
	}
	return []string{line}
}

type hinter interface {
	error
	Hints() []string
}

// Of returns the hints of the first error in the tree of err that can have any,
// depth first as errors.As goes. Who wraps an error with hints replaces them.
func Of(err error) []string {
	h, ok := errors.AsType[hinter](err)
	if !ok {
		return nil
	}
	return h.Hints()
}

// IsUsage reports whether the error that Of takes the hints of says that what
// was asked for makes no sense and that nothing was touched.
func IsUsage(err error) bool {
	h, ok := errors.AsType[hinter](err)
	if !ok {
		return false
	}
	u, ok := h.(interface{ IsUsage() bool })
	return ok && u.IsUsage()
}

// Message returns what a terminal or a mail may show of an error: others may
// have written control characters into DNS or into a file. Who typed Ctrl-C
// knows it as an interruption.
func Message(err error) string {
	message := strings.TrimRight(err.Error(), "\n")
	if errors.Is(err, context.Canceled) {
		message = strings.ReplaceAll(message, context.Canceled.Error(), "interrupted")
	}
	return text.PrintableLines(message)
}

// Print returns hints as a terminal or a mail shows them, a line each.
func Print(hints []string) []string {
	lines := make([]string, len(hints))
	for i, h := range hints {
		lines[i] = "hint: " + text.Printable(h)
	}
	return lines
}
