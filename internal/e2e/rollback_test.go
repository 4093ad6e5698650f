//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestRollback: back to the server as it was, forth again with the same key,
// back once more, and a new start under a selector that nobody has seen.
func TestRollback(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		was := look(t, b)
		product(t, b, 0, initArgs()...)
		first := selector(t, b, sink)
		done := look(t, b)

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		notServed(t, b)
		leavesUnsigned(t, b, sink)

		product(t, b, 0, "rollback", "--yes")
		asBefore(t, b, done)
		if again := selector(t, b, sink); again != first {
			t.Errorf("selector %s after the rollback was rolled back, was %s", again, first)
		}
		rollbackRefused(t, b)

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		product(t, b, 0, initArgs()...)
		if fresh := selector(t, b, sink); fresh == first {
			t.Errorf("selector %s is used for a second key", fresh)
		}
		if got, want := commands(t, b), "init done, rollback done, rollback done, rollback done, init done"; got != want {
			t.Errorf("history: %s, want %s", got, want)
		}
	})
}

// selector insists that mail leaves signed and returns the selector.
func selector(t *testing.T, b *lab.Box, sink *lab.Sink) string {
	t.Helper()
	s := ""
	for _, msg := range flows(t, b, sink) {
		signed(t, b, msg)
		s = lab.VerifyDKIM(t, b, msg)[0].Selector
	}
	return s
}

// withoutLedger leaves out what stays on purpose: which selectors were used.
func withoutLedger(c condition) condition {
	for path := range c.tree {
		if strings.HasPrefix(path, "/var/lib/mailsetup/keyring") {
			delete(c.tree, path)
		}
	}
	return c
}

// rollbackRefused: a file that somebody edited since is named, not lost.
func rollbackRefused(t *testing.T, b *lab.Box) {
	t.Helper()
	before := b.Read(t, "/etc/opendkim/TrustedHosts")
	b.Write(t, "/etc/opendkim/TrustedHosts", before+"203.0.113.0/24\n", 0o644)
	was := look(t, b)
	_, stderr := product(t, b, 1, "rollback", "--yes")
	says(t, stderr, "changed since: /etc/opendkim/TrustedHosts")
	asBefore(t, b, was)
	b.Write(t, "/etc/opendkim/TrustedHosts", before, 0o644)
}

// commands are the runs of the history with how they ended, oldest first.
func commands(t *testing.T, b *lab.Box) string {
	t.Helper()
	out, _ := product(t, b, 0, "history", "--json")
	var doc struct {
		Runs []struct{ Command, Status string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("history --json: %v\n%s", err, out)
	}
	var list []string
	for _, r := range doc.Runs {
		list = append(list, r.Command+" "+r.Status)
	}
	return strings.Join(list, ", ")
}

// TestUndoAsPrinted: whatever a command did, and in how many runs, the line at its
// end takes it back, and a rollback that names nothing does the same.
func TestUndoAsPrinted(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.Named(t, "shop.example")
		revoking(t, b)
		b.Sh(t, `sed -i 's/^drain = .*/drain = "14d"/' /etc/mailsetup/host.toml`)
		product(t, b, 0, initArgs()...)
		for _, tt := range []struct {
			bare bool
			args []string
		}{
			{false, []string{"add-domain", "--yes", "shop.example"}},
			{false, []string{"rotate-dkim", "--now", "--yes"}},
			{true, []string{"rotate-dkim", "--now", "--yes"}},
			{false, []string{"rotate-dkim", "--compromised", "--yes", "lab.example"}},
		} {
			was, signs := look(t, b), selectorOf(t, b, "lab.example")
			out, _ := product(t, b, 0, tt.args...)
			_, undo, found := strings.Cut(out, "To take it back: mailsetup ")
			undo, _, _ = strings.Cut(undo, "\n")
			if !found {
				t.Fatalf("%q prints no undo:\n%s", tt.args, out)
			}
			args := strings.Fields(undo)
			if tt.bare {
				args = args[:1]
			}
			product(t, b, 0, append(args, "--yes")...)
			t.Logf("%q, %q", tt.args, args)
			unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
			if got := signedWith(t, b, sent(t, b, sink, "ann@lab.example")); got != signs {
				t.Errorf("%q taken back: %s signs, and before %s did", tt.args, got, signs)
			}
		}

		// A command that came later has to go first, and the hint says which.
		first, _ := product(t, b, 0, "rotate-dkim", "--now", "--yes")
		_, undo, _ := strings.Cut(first, "To take it back: mailsetup rollback ")
		undo, _, _ = strings.Cut(undo, "\n")
		laterBy(t, b, 24*time.Hour)
		second, _ := product(t, b, 0, "rotate-dkim", "--yes")
		_, later, _ := strings.Cut(second, "To take it back: ")
		later, _, _ = strings.Cut(later, "\n")
		_, stderr := product(t, b, 1, "rollback", "--yes", undo)
		says(t, stderr, "changed since: ", later)
	})
}
