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
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		domainsInTables(t, b)
		b.Write(t, "/etc/postfix/vmailbox", "info@shop.example shop/info/\n", 0o644)
		b.Sh(t, `install -d -o 5000 -g 5000 /var/mail/vhosts
postmap hash:/etc/postfix/vmailbox
postconf -e virtual_mailbox_domains=shop.example virtual_mailbox_base=/var/mail/vhosts \
	virtual_mailbox_maps=hash:/etc/postfix/vmailbox virtual_uid_maps=static:5000 virtual_gid_maps=static:5000
postfix reload`)
		out, _ := product(t, b, 0, initArgs()...)
		says(t, strings.Join(strings.Fields(out), " "), "Postfix delivers for shop.example, too; mail of those addresses leaves unsigned",
			"mailsetup add-domain shop.example")
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

// domainsInTables has a domain of virtual mailboxes in every kind of table that Postfix
// finds it in, or does not, or cannot be asked: what a dry run says is what a client
// from outside is told.
func domainsInTables(t *testing.T, b *lab.Box) {
	t.Helper()
	main := b.Read(t, "/etc/postfix/main.cf")
	b.Sh(t, `cd /etc/postfix; printf 'shop.example x\nclub.example x\n' >vd; postmap hash:vd
printf '# names\nshop.example, club.example\n' >vd.names; printf '/^(shop|club)\\.example$/ x\n' >vd.re; printf 'hosts = 127.0.0.1\n' >vd.cf
postconf -e 'mydestination = $myhostname, lab.example, localhost' 'virtual_mailbox_maps=inline:{ {info@shop.example=shop/} }' virtual_mailbox_base=/var/mail/vhosts virtual_uid_maps=static:5000 virtual_gid_maps=static:5000`)
	const refused = `Postfix does not take mail for shop.example yet: others are told "Relay access denied"`
	for _, c := range []struct {
		list, value string
		taken       bool
		says, hides []string
	}{
		{"virtual_mailbox_domains", "proxy:hash:/etc/postfix/vd", true, []string{"Postfix delivers for club.example"}, []string{refused}},
		{"virtual_mailbox_domains", "inline:{ {shop.example = x}, club.example=x }", true, []string{"Postfix delivers for club.example"}, []string{refused}},
		{"virtual_mailbox_domains", "/etc/postfix/vd.names", true, []string{"Postfix delivers for club.example"}, []string{refused}},
		{"virtual_mailbox_domains", "regexp:/etc/postfix/vd.re", true, []string{"which domains are in regexp:/etc/postfix/vd.re (virtual_mailbox_domains) could not be found out"}, []string{refused, "club.example"}},
		{"virtual_alias_maps", "inline:{ {shop.example = x}, {club.example = x}, {@shop.example = ann@lab.example} }", true, []string{"Postfix delivers for club.example"}, []string{refused}},
		{"relay_domains", "hash:/etc/postfix/vd", true, nil, []string{refused, "club.example"}},
		{"mydestination", "localhost, lab.example, hash:/etc/postfix/vd", true, []string{"Postfix delivers for club.example"}, []string{refused}},
		{"virtual_mailbox_domains", "!shop.example, hash:/etc/postfix/vd", false, []string{refused, "add it to virtual_mailbox_domains (!shop.example, hash:/etc/postfix/vd)"}, []string{"mydestination or"}},
		{"virtual_alias_maps", "inline:{ {@shop.example = ann@lab.example} }", false, []string{refused, "add it to virtual_"}, []string{"add it to mydestination"}},
		{"virtual_mailbox_domains", "mysql:/etc/postfix/vd.cf", false, []string{"could not find out whether Postfix takes mail for shop.example: virtual_mailbox_domains: ask table mysql:/etc/postfix/vd.cf: "}, []string{refused}},
	} {
		was := b.Read(t, "/etc/postfix/main.cf")
		b.Run(t, "postconf", "-e", c.list+"="+c.value)
		b.Run(t, "postfix", "reload")
		listens(t, b, "25")
		said, _ := b.Send(t, lab.Letter{From: "ann@remote.example", To: "info@shop.example", Client: "198.51.100.7", Subject: "from outside"})
		if taken := !strings.HasPrefix(said, "4"); taken != c.taken { // 550: a domain of its own, and no such user
			t.Errorf("%s = %s: Postfix says %s", c.list, c.value, said)
		}
		out, _ := product(t, b, 0, "init", "--dry-run", "--domain", "shop.example", "--hostname", "mail.lab.example", "--ip", "192.0.2.10", "--receive", "yes")
		out = strings.Join(strings.Fields(out), " ")
		says(t, out, c.says...)
		saysNot(t, out, c.hides...)
		if t.Failed() {
			t.Fatalf("with %s = %s", c.list, c.value)
		}
		b.Write(t, "/etc/postfix/main.cf", was, 0o644)
	}
	b.Write(t, "/etc/postfix/main.cf", main, 0o644)
	b.Sh(t, "rm /etc/postfix/vd*; postqueue -f; postsuper -d ALL; postfix reload")
	listens(t, b, "25")
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
