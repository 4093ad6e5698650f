package system

import (
	"fmt"

	"mailsetup/internal/hint"
	"mailsetup/internal/state"
)

// UnusableError says that a file of the administrator's cannot be edited as it is, and
// what to do about it. Nothing has failed; it is for them to decide.
type UnusableError struct {
	Path state.Path
	Line int // 0 for the file as a whole
	Text string
	Hint string // the command to type
}

func (e *UnusableError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Text)
}

// Hints returns the command to type.
func (e *UnusableError) Hints() []string { return hint.One(e.Hint) }

// IsUsage says that nothing was touched.
func (e *UnusableError) IsUsage() bool { return true }
