//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestVirtualDomain: a domain of virtual mailboxes is said to be unsigned until
// the command is given that the note names; then each domain signs its own mail.
func TestVirtualDomain(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		b.Write(t, "/etc/postfix/vmailbox", "info@shop.example shop/info/\n", 0o644)
		b.Sh(t, `install -d -o 5000 -g 5000 /var/mail/vhosts
postmap /etc/postfix/vmailbox
postconf -e virtual_mailbox_domains=shop.example virtual_mailbox_base=/var/mail/vhosts \
	virtual_mailbox_maps=hash:/etc/postfix/vmailbox virtual_uid_maps=static:5000 virtual_gid_maps=static:5000
postfix reload`)
		out, _ := product(t, b, 0, initArgs()...)
		says(t, strings.Join(strings.Fields(out), " "), "Postfix delivers for shop.example, too; mail of those addresses leaves unsigned",
			"mailsetup init --domain shop.example")
		shop := lab.Letter{From: "info@shop.example", Subject: "by the shop"}
		if msg := by(t, b, sink, shop); len(lab.VerifyDKIM(t, b, msg)) != 0 {
			t.Errorf("signed: the note is wrong\n%s", msg)
		}

		was, parameters := look(t, b), postconf(t, b)
		out, _ = product(t, b, 0, "init", "--yes", "--domain", "shop.example")
		saysNot(t, strings.Join(strings.Fields(out), " "), "leaves unsigned")
		same(t, parameters, postconf(t, b)) // Postfix asks the signer already
		signs := func() {
			if found := lab.VerifyDKIM(t, b, by(t, b, sink, shop)); len(found) != 1 || found[0].Err != "" || found[0].Domain != "shop.example" {
				t.Errorf("mail of the shop: %+v", found)
			}
			leavesSigned(t, b, sink)
		}
		signs()
		b.PowerCut(t)
		listens(t, b, "25")
		signs()
		toMailbox(t, b)
		nothingChanges(t, b, "init", "--yes")

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		if msg := by(t, b, sink, shop); len(lab.VerifyDKIM(t, b, msg)) != 0 {
			t.Errorf("signed after the rollback\n%s", msg)
		}
		leavesSigned(t, b, sink)
	})
}

// toMailbox sends from one domain to a mailbox of the other, where it arrives
// with one signature.
func toMailbox(t *testing.T, b *lab.Box) {
	t.Helper()
	if said, taken := b.Send(t, lab.Letter{From: "ann@lab.example", To: "info@shop.example", Subject: "inside", Body: "hello"}); !taken {
		t.Fatalf("to the mailbox: %s", said)
	}
	becomes(t, b, "ls /var/mail/vhosts/shop/info/new 2>/dev/null | grep -q .")
	msg := b.Sh(t, "cat /var/mail/vhosts/shop/info/new/*")
	if n := strings.Count(msg, "\nDKIM-Signature: "); n != 1 || !strings.Contains(msg, "d=lab.example;") {
		t.Errorf("%d signatures\n%s", n, msg)
	}
}
