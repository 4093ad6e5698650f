package plan_test

import (
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// A zone with comments in Latin-1 is shown like any other.
func TestDiffOfOlderEncodings(t *testing.T) {
	of := func(text string) state.Object { return state.Object{Kind: state.Regular, Content: []byte(text)} }
	for _, tt := range []struct{ before, after, want string }{
		{"; B\xfcro\n1\n", "; B\xfcro\n2\n", "--- /z\n+++ /z\n@@ -1,2 +1,2 @@\n ; B\xfcro\n-1\n+2\n"},
		{"\x00\x01", "\x00\x01\x02", "binary, 2 bytes become 3\n"},
	} {
		if got := plan.Diff("/z", of(tt.before), of(tt.after)); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
