package plan

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/aymanbagabas/go-udiff"

	"mailsetup/internal/state"
)

// Diff returns the unified diff between two objects, "" if there is none to show: the
// content is the same, or secret.
func Diff(p state.Path, before, after state.Object) string {
	if secret(before) || secret(after) || before.SameContent(after) {
		return ""
	}
	var err, aerr error
	if before, err = before.Held(); err == nil {
		after, aerr = after.Held()
	}
	if err = cmp.Or(err, aerr); err != nil {
		return fmt.Sprintf("not shown: %v\n", err)
	}
	if binary(before.Content) || binary(after.Content) {
		return fmt.Sprintf("binary, %d bytes become %d\n", len(before.Content), len(after.Content))
	}
	return udiff.Unified(label(p, before), label(p, after), string(before.Content), string(after.Content))
}

func label(p state.Path, o state.Object) string {
	if o.Kind == state.Absent {
		return "/dev/null"
	}
	return string(p)
}

// binary reports whether content is not text; older encodings count as text, such as a
// zone's comments in Latin-1.
func binary(b []byte) bool { return bytes.IndexByte(b, 0) >= 0 }
