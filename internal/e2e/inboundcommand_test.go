//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestInboundCommand: what mail meets at the door is switched on, changed, taken back and
// switched off in words that people type, and the files of the daemons are then as before,
// octet by octet.
func TestInboundCommand(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, _ := signing(t, release)
		const ofPackage = "/etc/postfix-policyd-spf-python"
		files := func() map[string]string { return b.Snapshot(t, "/etc/postfix", ofPackage, "/etc/opendkim.conf") }
		before := files()
		stdout, _ := product(t, b, 0, "inbound", "--spf", "mark", "--yes")
		says(t, stdout, "Incoming  SPF mark, DMARC off", "install postfix-policyd-spf-python")
		marked := files()
		product(t, b, 0, "inbound", "--spf", "reject", "--allow", "198.51.100.7", "--allow", "ann@shop.example", "--yes")
		stdout, _ = product(t, b, 0, "inbound")
		says(t, stdout, "SPF          reject:", "Let past     198.51.100.7 ann@shop.example")
		saysNot(t, stdout, "not so yet", "could not be found out")
		stdout, _ = product(t, b, 0, "inbound", "--json")
		says(t, stdout, `"spf": "reject"`, `"as_asked": true`)
		_, stderr := product(t, b, 0, "status")
		says(t, stderr, "incoming mail: SPF reject, DMARC off, 2 let past")
		product(t, b, 0, "rollback", "--yes")
		same(t, marked, files())

		// None of this needs BIND, whoever stopped it: neither what the command says, nor what
		// it changes.
		b.Sh(t, "systemctl stop named")
		stdout, _ = product(t, b, 0, "inbound")
		says(t, stdout, "SPF          mark:")
		saysNot(t, stdout, "not so yet", "could not be found out")
		product(t, b, 0, "inbound", "--allow", "198.51.100.8", "--yes")
		product(t, b, 0, "inbound", "--disallow", "198.51.100.8", "--yes")
		same(t, marked, files())
		b.Sh(t, "postconf -e 'smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination'")
		stdout, _ = product(t, b, 0, "inbound", "--json")
		says(t, stdout, `"as_asked": false`)
		product(t, b, 0, "inbound", "--yes")
		same(t, marked, files())
		if now := b.Sh(t, "systemctl is-active named || true"); now != "inactive\n" {
			t.Errorf("named is %s", now)
		}
		b.Sh(t, "systemctl start named")
		product(t, b, 0, "inbound", "--spf", "off", "--yes")
		after := files()
		for name := range after {
			if _, there := before[name]; !there && strings.HasPrefix(name, ofPackage) {
				delete(after, name) // the package stays
			}
		}
		same(t, before, after)
		if changed := b.Sh(t, "dpkg -V postfix-policyd-spf-python"); changed != "" {
			t.Errorf("the package's files are not as it brought them:\n%s", changed)
		}
	})
}
