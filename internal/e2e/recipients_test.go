//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestRootsMailIsRead: an address that nobody has is refused with nothing
// touched, whatever the way in which Postfix would lose its mail; what cannot be
// found out is said; and root's mail arrives in the end. Each verdict is compared
// with what the running Postfix does.
func TestRootsMailIsRead(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		b.Sh(t, `postconf -e 'mydestination = $myhostname, lab.example, localhost' \
	'virtual_mailbox_domains = texthash:/etc/postfix/vdomains' 'virtual_mailbox_maps = texthash:/etc/postfix/vmailbox' \
	virtual_mailbox_base=/var/mail virtual_uid_maps=static:65534 virtual_gid_maps=static:65534 \
	'virtual_alias_domains = alias.example' 'virtual_alias_maps = inline:{ {info@alias.example = ann} }' \
	'relay_domains = relay.example'
echo 'shop.example x' >/etc/postfix/vdomains; echo 'info@shop.example shop/' >/etc/postfix/vmailbox
install -d -o 65534 /var/mail/shop; echo 'carl: root' >>/etc/aliases; newaliases; postfix reload`)
		was := look(t, b)
		refusesLostMail(t, b)
		takesRead(t, b)
		asBefore(t, b, was)
		undoneByTheAgent(t, b, was)

		b.Sh(t, `read=$(postconf -hx alias_maps); postconf -e "alias_maps = $read" "alias_database = $read, hash:/etc/postfix/gone"; postfix reload`) // newaliases would fail
		product(t, b, 0, initArgs()...)
		rootToMailbox(t, b, "/var/mail/ann")
		nothingChanges(t, b, initArgs()...)
		virtualDomainWithoutPostmaster(t, b)
		product(t, b, 0, "init", "--yes", "--root-alias", "info@shop.example")
		rootToMailbox(t, b, "/var/mail/shop")
		time.Sleep(time.Second) // local(8) knows a table by the second in which it was written
		product(t, b, 0, "init", "--yes", "--root-alias", "bob@remote.example")
		before := sink.Count()
		b.Sh(t, `printf 'Subject: for root\n\nhello\n' | /usr/sbin/sendmail -i root`)
		if m := sink.Wait(t, before+1, time.Minute)[before]; m.To[0] != "bob@remote.example" {
			t.Errorf("root's mail went to %q", m.To)
		}
		withoutAliases(t, b)
	})
}

// withoutAliases: a Postfix that does not read /etc/aliases, as one of virtual mailboxes
// only, is set up all the same; the alias is not written, and the command that is
// printed makes it work.
func withoutAliases(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "postconf -e alias_maps= alias_database=; postfix reload")
	was := b.Read(t, "/etc/aliases")
	out, _ := product(t, b, 0, "init", "--yes", "--root-alias", "ann@lab.example")
	says(t, strings.Join(strings.Fields(out), " "), "alias_maps is empty: Postfix does not read /etc/aliases, and no alias there sends root's mail to ann@lab.example")
	if now := b.Read(t, "/etc/aliases"); now != was {
		t.Errorf("written to:\n%s", now)
	}
	_, rest, _ := strings.Cut(out, "postalias ")
	do := "postalias "
	for line := range strings.Lines(rest) { // a long command is broken behind &&
		if do += line; !strings.HasSuffix(line, "&&\n") {
			break
		}
	}
	b.Sh(t, do+"printf 'Subject: by the alias\\n\\nhello\\n' | /usr/sbin/sendmail -i root")
	becomes(t, b, "grep -qs 'by the alias' /var/mail/ann")
}

// refusesLostMail tries addresses that Postfix refuses, bounces or gets back.
func refusesLostMail(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, c := range []struct {
		flag, address string
		says          []string
	}{
		{"--root-alias", "wile@lab.example", []string{"--root-alias wile@lab.example: root's mail would be lost: there is no user or alias wile here", "adduser wile"}},
		{"--root-alias", "ann@new.lab.example", []string{"new.lab.example has neither a mail exchanger nor an address in DNS"}},
		{"--root-alias", "carl@lab.example", []string{"in a circle"}},
		{"--root-alias", "postmaster@shop.example", []string{"virtual_mailbox_maps has no postmaster@shop.example", "give postmaster@shop.example a mailbox in virtual_mailbox_maps (texthash:/etc/postfix/vmailbox)"}},
		{"--root-alias", "postmaster@alias.example", []string{"virtual_alias_maps has no postmaster@alias.example"}},
		{"--notify", "wile@lab.example", []string{"--notify wile@lab.example: what is mailed there would be lost"}},
		{"--rua", "mailto:dmarc@lab.example", []string{"--rua dmarc@lab.example: the reports about lab.example would reach nobody: there is no user or alias dmarc here", "adduser dmarc"}},
	} {
		_, said := product(t, b, 2, initArgs("--receive", "yes", c.flag, c.address)...)
		says(t, said, c.says...)
		if strings.HasPrefix(c.says[0], "new.") || c.flag != "--root-alias" || strings.HasPrefix(c.address, "carl") {
			continue
		}
		if code := rcpt(t, b, c.address); code != "550 5.1.1" {
			t.Errorf("RCPT TO:<%s>: %s, want 550 5.1.1", c.address, code)
		}
	}
	// Postfix does not have this one, and DNS will lead it here.
	b.Sh(t, "postconf -e 'mydestination = $myhostname, localhost'; postfix reload")
	_, said := product(t, b, 2, initArgs("--receive", "yes", "--root-alias", "ann@lab.example")...)
	says(t, said, "DNS leads mail for lab.example to this server, whose Postfix does not have that domain: it would come back")
	_, said = product(t, b, 2, "init", "--yes", "--domain", "fresh.example", "--hostname", "mail.lab.example", "--ip", "192.0.2.10", "--receive", "no",
		"--dns", "bind", "--dns-new-zone", "--ns", "mail.lab.example", "--root-alias", "ann@fresh.example")
	says(t, said, "fresh.example has neither a mail exchanger nor an address in DNS")
	b.Sh(t, "postconf -e 'mydestination = $myhostname, lab.example, localhost'; postfix reload")
}

// takesRead tries addresses that somebody has, or may have.
func takesRead(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, address := range []string{"Ann+root@lab.example", "info@alias.example", "any@relay.example"} {
		out, _ := product(t, b, 0, initArgs("--dry-run", "--root-alias", address)...)
		saysNot(t, strings.Join(strings.Fields(out), " "), "could not find out whether somebody has")
		if code := rcpt(t, b, address); code != "250 2.1.5" {
			t.Errorf("RCPT TO:<%s>: %s, want 250 2.1.5", address, code)
		}
	}
	b.Sh(t, "postconf -e 'virtual_alias_maps = mysql:/etc/postfix/none.cf'")
	out, _ := product(t, b, 0, initArgs("--dry-run")...)
	says(t, strings.Join(strings.Fields(out), " "), "could not find out whether somebody has ann@mail.lab.example: virtual_alias_maps: ask table mysql:/etc/postfix/none.cf: unsupported dictionary type: mysql")
	b.Sh(t, "postconf -e 'virtual_alias_maps = inline:{ {info@alias.example = ann} }'")
}

// undoneByTheAgent has the delivery agent look into another table than main.cf
// says: what it would do is found out in the end, and the run is taken back.
func undoneByTheAgent(t *testing.T, b *lab.Box, was condition) {
	t.Helper()
	master := b.Read(t, "/etc/postfix/master.cf")
	b.Sh(t, "postconf -P 'local/unix/alias_maps=inline:{root=wile}'; postfix reload")
	_, said := product(t, b, 1, initArgs()...)
	says(t, said, `mail for root is lost: unknown user: "wile"`, "everything was put back as it was")
	b.Write(t, "/etc/postfix/master.cf", master, 0o644)
	b.Sh(t, "postfix reload")
	asBefore(t, b, was)
}

// rootToMailbox sends to root, and insists that the mail arrives.
func rootToMailbox(t *testing.T, b *lab.Box, box string) {
	t.Helper()
	b.Sh(t, `printf 'Subject: for root: `+box+`\n\nhello\n' | /usr/sbin/sendmail -i root`)
	becomes(t, b, "grep -rqs 'for root: "+box+"' "+box)
}

// virtualDomainWithoutPostmaster: reports go nowhere rather than to an address
// that gets 550, and what is proposed instead works.
func virtualDomainWithoutPostmaster(t *testing.T, b *lab.Box) {
	t.Helper()
	out, _ := product(t, b, 0, "add-domain", "--yes", "--receive", "yes", "shop.example")
	says(t, strings.Join(strings.Fields(out), " "), "nobody reads the DMARC reports of shop.example", "mailsetup init --domain shop.example --rua ann@mail.lab.example")
	dmarc := func() string {
		return strings.TrimSpace(b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", "_dmarc.shop.example"))
	}
	if got := dmarc(); got != `"v=DMARC1; p=none"` {
		t.Errorf("DMARC of a domain whose postmaster nobody is: %s", got)
	}
	product(t, b, 0, "init", "--yes", "--domain", "shop.example", "--rua", "ann@mail.lab.example", "--existing-records", "change")
	if got := dmarc(); got != `"v=DMARC1; p=none; rua=mailto:ann@mail.lab.example"` {
		t.Errorf("DMARC after the command that was proposed: %s", got)
	}
	b.Sh(t, "echo 'postmaster@shop.example shop/' >>/etc/postfix/vmailbox; mailsetup remove-domain --yes --purge shop.example; mailsetup add-domain --yes --receive yes shop.example")
	if got := dmarc(); got != `"v=DMARC1; p=none; rua=mailto:postmaster@shop.example"` {
		t.Errorf("DMARC once there is a postmaster: %s", got)
	}
}

// rcpt is how Postfix answers an address, code and enhanced code.
func rcpt(t *testing.T, b *lab.Box, address string) string {
	t.Helper()
	return strings.TrimSpace(b.Sh(t, `python3 -c '
import smtplib, sys
s = smtplib.SMTP("127.0.0.1"); s.ehlo("[127.0.0.1]"); s.mail("")
code, said = s.rcpt(sys.argv[1]); print(code, said.decode().split()[0])' '`+address+`'`))
}
