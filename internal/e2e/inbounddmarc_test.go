//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// results returns the fields Authentication-Results and Received-SPF of a message in ann's
// mailbox.
func results(t *testing.T, b *lab.Box, subject string) string {
	t.Helper()
	becomes(t, b, "grep -q '^Subject: "+subject+"$' /var/mail/ann")
	for mail := range strings.SplitSeq("\n"+b.Sh(t, "cat /var/mail/ann"), "\nFrom ") {
		header, _, _ := strings.Cut(mail, "\n\n")
		if !strings.Contains(header+"\n", "\nSubject: "+subject+"\n") {
			continue
		}
		var found []string
		for field := range strings.SplitSeq(strings.ReplaceAll(header, "\n\t", " "), "\n") {
			if strings.HasPrefix(field, "Authentication-Results:") {
				found = append(found, field)
			}
		}
		return strings.Join(found, "\n")
	}
	return ""
}

// TestInboundDMARC: OpenDMARC marks what it finds out itself, whatever comes along in the
// message; users and hosts of this server are not judged; while it is down, mail passes; and
// off leaves every file and unit as it was.
func TestInboundDMARC(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, _ := signing(t, release)
		b.Sh(t, `id ann >/dev/null 2>&1 || useradd -m ann; postconf -e 'mydestination = $myhostname, lab.example, localhost'; postfix reload
openssl genrsa -out /root/pass.pem 2048 2>/dev/null`)
		key := strings.TrimSpace(b.Sh(t, "openssl rsa -in /root/pass.pem -pubout -outform DER 2>/dev/null | base64 -w0"))
		b.Named(t, "pass.example", `@ TXT "v=spf1 ip4:198.51.100.5 -all"`, `_dmarc TXT "v=DMARC1; p=reject"`, txtLine("s._domainkey", "v=DKIM1; p="+key))
		files := func() map[string]string { return b.Snapshot(t, "/etc/postfix", "/etc/opendkim.conf") }
		before := files()
		send := func(subject, client, fields string) {
			t.Helper()
			raw := fields + "From: <carl@pass.example>\r\nTo: <ann@lab.example>\r\nSubject: " + subject + "\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" + subject + "@pass.example>\r\n\r\nhello\r\n"
			said, taken := b.Send(t, lab.Letter{From: "carl@pass.example", To: "ann@lab.example", Client: client, Raw: []byte(raw)})
			if !taken {
				t.Errorf("%s is refused: %s", subject, said)
			}
		}
		const forged = "Authentication-Results: mail.lab.example; dkim=pass header.d=pass.example; dmarc=pass header.from=pass.example\r\n"
		is := func(subject string, words ...string) {
			t.Helper()
			got := results(t, b, subject)
			says(t, got, words...)
			saysNot(t, got, "dmarc=pass header.from=pass.example")
		}

		_, said := product(t, b, 2, "inbound", "--dmarc", "reject", "--yes")
		says(t, said, "--dmarc reject would lose good mail: OpenDKIM says nothing at all", "hint: mailsetup inbound --dmarc mark")
		same(t, before, files())
		product(t, b, 0, "inbound", "--dmarc", "mark", "--yes")
		marking := files()

		send("pass", "198.51.100.5", "")
		is("pass", "Authentication-Results: mail.lab.example; dmarc=pass (p=reject dis=none) header.from=pass.example", "mail.lab.example; spf=pass")
		send("fail", "198.51.100.66", "")
		is("fail", "mail.lab.example; dmarc=fail (p=reject dis=none) header.from=pass.example")
		send("forged", "198.51.100.66", forged)
		is("forged", "dmarc=fail")
		send("own", b.Addr, "")
		saysNot(t, results(t, b, "own"), "dmarc=")

		// A restart, since a reload would change nothing.
		product(t, b, 0, "inbound", "--allow", "198.51.100.66", "--yes")
		send("allowed", "198.51.100.66", "")
		saysNot(t, results(t, b, "allowed"), "dmarc=")
		product(t, b, 0, "inbound", "--disallow", "198.51.100.66", "--yes")
		same(t, marking, files())
		nothingChanges(t, b, initArgs()...)

		b.Sh(t, "mv /usr/share/publicsuffix/public_suffix_list.dat /root/")
		out, said := product(t, b, 0, initArgs()...)
		says(t, out+said, "/usr/share/publicsuffix/public_suffix_list.dat is not there", "apt-get install --reinstall publicsuffix && systemctl restart opendmarc")
		b.Sh(t, "mv /root/public_suffix_list.dat /usr/share/publicsuffix/; systemctl stop opendmarc")
		send("down", "198.51.100.66", "")
		saysNot(t, results(t, b, "down"), "dmarc=")

		// Off leaves OpenDMARC as it was: it came with mailsetup, so nothing runs; and so
		// where it was there, and somebody had stopped it.
		b.Sh(t, "systemctl start opendmarc")
		for again := range 2 {
			product(t, b, 0, "inbound", "--dmarc", "off", "--yes")
			same(t, before, files())
			left := b.Sh(t, `dpkg -V opendmarc
ls -d /etc/opendmarc /var/spool/postfix/opendmarc /var/lib/mailsetup/started 2>/dev/null || :
systemctl is-active opendmarc || :; systemctl is-enabled opendmarc || :`)
			if left != "inactive\ndisabled\n" {
				t.Errorf("left by off:\n%s", left)
			}
			if again == 1 {
				break
			}
			product(t, b, 0, "inbound", "--dmarc", "mark", "--yes")
			if runs := b.Sh(t, "systemctl is-active opendmarc; systemctl is-enabled opendmarc"); runs != "active\nenabled\n" {
				t.Errorf("once more on:\n%s", runs)
			}
		}
	})
}
