package plan

import (
	"bytes"
	"fmt"

	"github.com/aymanbagabas/go-udiff"

	"mailsetup/internal/state"
)

// Diff returns the unified diff from one object to the other, "" if there is
// none to show: the content is the same, or it must not be seen.
func Diff(p state.Path, before, after state.Object) string {
	if secret(before) || secret(after) || bytes.Equal(before.Content, after.Content) {
		return ""
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

// binary leaves texts in older encodings to be shown, such as a zone's comments
// in Latin-1.
func binary(b []byte) bool { return bytes.IndexByte(b, 0) >= 0 }
