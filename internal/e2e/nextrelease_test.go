//go:build e2e

package e2e

import (
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestNextRelease: Debian 14 from no mail package to signed mail, and back. It is what
// `make test` tries there; MAILSETUP_RELEASES=forky has all tests do so.
func TestNextRelease(t *testing.T) {
	t.Parallel()
	b := server(t, lab.Next, lab.Bare)
	sink := b.Sink(t)
	product(t, b, 0, initArgs()...)
	leavesSigned(t, b, sink)
	b.Sh(t, "test -s /etc/aliases.cdb && test ! -e /etc/aliases.db")
	nothingChanges(t, b, initArgs()...)
	product(t, b, 0, "rollback", "--yes")
	leavesUnsigned(t, b, sink)
}
