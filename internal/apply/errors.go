package apply

import (
	"errors"
	"fmt"
	"strings"

	"mailsetup/internal/state"
)

// StalePlanError says that the machine is not as it was when the plan was made. Nothing
// was touched.
type StalePlanError struct{ Paths []state.Path }

// Error implements error.
func (s *StalePlanError) Error() string {
	names := make([]string, len(s.Paths))
	for i, p := range s.Paths {
		names[i] = string(p)
	}
	return "changed since the plan was made: " + strings.Join(names, ", ") + "\nhint: run the command again"
}

// FailedError says that a run failed or was interrupted, and that the machine was
// re-read and is as it was, but for what the report says was kept. An
// interrupted run answers errors.Is(err, context.Canceled).
type FailedError struct {
	Cause error
	Log   []string // the last lines of the unit that failed, if one did
	Kept  []string // checkpoint stages that stay
}

// Error implements error.
func (f *FailedError) Error() string {
	but := ""
	if len(f.Kept) > 0 {
		but = " but for " + strings.Join(f.Kept, ", ")
	}
	return f.Cause.Error() + logText(f.Log) + "\neverything was put back as it was" + but
}

// Unwrap gives the cause.
func (f *FailedError) Unwrap() error { return f.Cause }

// NotUndoneError says that a run failed and could not be taken back completely. The
// journal stays open.
type NotUndoneError struct {
	Cause    error // nil when an interrupted run was being recovered
	Log      []string
	Undo     []error  // what stood in the way
	Commands []string // what the operator has to type, in order
}

// Error implements error.
func (n *NotUndoneError) Error() string {
	var b strings.Builder
	if n.Cause != nil {
		b.WriteString(n.Cause.Error() + logText(n.Log) + "\n")
	}
	b.WriteString("not everything could be put back:")
	for _, err := range n.Undo {
		fmt.Fprintf(&b, "\n  %v", err)
	}
	for i, c := range n.Commands {
		if i == 0 {
			b.WriteString("\nhint: type")
		}
		b.WriteString("\n  " + c)
	}
	return b.String()
}

// Unwrap gives the cause and what stood in the way of the undo.
func (n *NotUndoneError) Unwrap() []error {
	if n.Cause == nil {
		return n.Undo
	}
	return append([]error{n.Cause}, n.Undo...)
}

func logText(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n  | " + strings.Join(lines, "\n  | ")
}

// unitError is a failure that the unit's own journal may explain.
type unitError struct {
	unit string
	err  error
}

func (u *unitError) Error() string { return u.err.Error() }
func (u *unitError) Unwrap() error { return u.err }

// failedUnit names the unit to blame, "" if none is.
func failedUnit(err error) string {
	if u, ok := errors.AsType[*unitError](err); ok {
		return u.unit
	}
	return ""
}
