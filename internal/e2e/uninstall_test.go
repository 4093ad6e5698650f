//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestUninstall: a Postfix that somebody tuned is as before after two domains and a
// rotation, mail flows as it did then, and zones only go forward, with the keys that mail
// under way needs. A rollback signs again.
func TestUninstall(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := tuned(t, release)
		b.Named(t, "extra.example")
		files := func() map[string]string {
			return b.Snapshot(t, "/etc", "/var/spool/postfix/opendkim", "!/etc/bind", "!/etc/dkimkeys", "!/etc/aliases.db", "!/etc/aliases.cdb", "!/etc/systemd/system/*.d")
		}
		was, ran := files(), running(t, b)
		const aliases = "postalias -s /etc/aliases | grep -v ^YP_LAST_MODIFIED | sort" // the file is made anew
		read := b.Sh(t, aliases)
		product(t, b, 0, initArgs("--service-milters", "merge", "--sign-bounces", "yes")...)
		product(t, b, 0, "add-domain", "--yes", "extra.example")
		product(t, b, 0, "rotate-dkim", "--now", "--yes", "lab.example")
		signs := selectorOf(t, b, "lab.example")
		serials := look(t, b).serials

		out, _ := product(t, b, 0, "uninstall", "--yes")
		says(t, strings.Join(strings.Fields(out), " "), "the key record of lab.example stays in DNS until",
			"private keys stay below /etc/dkimkeys", "the packages stay")
		same(t, was, files())
		if is := b.Sh(t, aliases); is != read {
			t.Errorf("aliases:\n%s\nwere:\n%s", is, read)
		}
		if is := running(t, b); is != ran {
			t.Errorf("runs now:\n%s\nbefore:\n%s", is, ran)
		}
		for path, n := range look(t, b).serials {
			if n < serials[path] {
				t.Errorf("%s: serial %d, was %d", path, n, serials[path])
			}
		}
		notServed(t, b)
		if keyRecord(t, b, signs, "lab.example") == "" {
			t.Errorf("mail under way that %s signed does not verify", signs)
		}
		leavesUnsigned(t, b, sink)
		if got := b.Run(t, "find", "/etc/dkimkeys", "-name", "*.private", "-perm", "/077"); got != "" {
			t.Errorf("others may read %s", got)
		}

		product(t, b, 0, "rollback", "--yes")
		if is := selectorOf(t, b, "lab.example"); is != signs {
			t.Errorf("%s signs, was %s", is, signs)
		}
		leavesSignedBy(t, b, sink, "lab.example")
	})
}
