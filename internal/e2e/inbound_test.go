//go:build e2e

package e2e

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// receiver boots a server that takes mail for lab.example (ann, bob, and info, an alias)
// from strangers whose domains have policies:
//
//	pass.example    sends from 198.51.100.5 and 2001:db8:99::7, SPF -all, DMARC reject
//	signed.example  signs with /root/signed.pem and sends from nowhere, DMARC reject
//	lists.example   is a mailing list at 198.51.100.30
//	bl.example      is a block list, with 198.51.100.99 on it
//
// ann may submit mail with a password; a forwarder stands at 198.51.100.77. Queue and
// mailboxes are file systems of their own, which can be full.
func receiver(t *testing.T, release string) *lab.Box {
	t.Helper()
	b, _ := signing(t, release)
	b.Sh(t, `ip addr add 2001:db8::10/128 dev eth0 nodad
for dir in /var/spool/postfix /var/mail; do
	systemctl stop postfix opendkim
	cp -a $dir $dir.was
	mount -t tmpfs -o size=48m,mode=$(stat -c %a $dir),gid=$(stat -c %g $dir) tmpfs $dir
	cp -a $dir.was/. $dir/
done
for user in ann bob; do id $user >/dev/null 2>&1 || useradd -m $user; done
echo 'info: ann' >>/etc/aliases; newaliases
postconf -e 'mydestination = $myhostname, lab.example, localhost' 'maximal_backoff_time = 2s' 'minimal_backoff_time = 1s' 'queue_run_delay = 2s'
cat >>/etc/postfix/master.cf <<'END'
submission inet n - y - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
END
openssl genrsa -out /root/signed.pem 2048 2>/dev/null
systemctl start opendkim postfix`)
	b.SASLUser(t, "ann", "secret")
	key := strings.TrimSpace(b.Sh(t, "openssl rsa -in /root/signed.pem -pubout -outform DER 2>/dev/null | base64 -w0"))
	for origin, lines := range map[string][]string{
		"pass.example":   {`@ TXT "v=spf1 ip4:198.51.100.5 ip6:2001:db8:99::7 -all"`, `_dmarc TXT "v=DMARC1; p=reject"`},
		"signed.example": {`@ TXT "v=spf1 -all"`, `_dmarc TXT "v=DMARC1; p=reject"`, txtLine("s._domainkey", "v=DKIM1; p="+key)},
		"lists.example":  {`@ TXT "v=spf1 ip4:198.51.100.30 -all"`, `_dmarc TXT "v=DMARC1; p=none"`},
		"bl.example":     {"2.0.0.127 A 127.0.0.2", `2.0.0.127 TXT "test entry"`, "99.100.51.198 A 127.0.0.2", `99.100.51.198 TXT "listed"`},
	} {
		b.Named(t, origin, lines...)
	}
	return b
}

// honest are messages that must arrive, of ten kinds.
func honest(t *testing.T, b *lab.Box) []lab.Letter {
	t.Helper()
	letter := func(kind, client, from string) lab.Letter {
		return lab.Letter{Subject: kind, Client: client, From: from, HeaderFrom: from, Server: b.Addr + ":25", To: "ann@lab.example", Helo: "mx.pass.example", Body: "hello"}
	}
	plain := letter("plain", "198.51.100.5", "carl@pass.example")
	forwarded := letter("forwarded", "198.51.100.77", "carl@pass.example")
	rewritten := letter("rewritten", "198.51.100.30", "list@lists.example")
	kept := letter("kept", "198.51.100.30", "bounces@lists.example")
	signed := b.Run(t, "python3", "-c", signKept)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signed))
	if err != nil {
		t.Fatal(err)
	}
	kept.Raw = raw
	bounce := letter("bounce", "198.51.100.5", "")
	bounce.HeaderFrom = "mailer-daemon@pass.example"
	roaming := letter("roaming", "198.51.100.9", "ann@lab.example")
	roaming.Server, roaming.User, roaming.Password = b.Addr+":587", "ann", "secret"
	authenticated := roaming
	authenticated.Subject, authenticated.From = "authenticated", "carl@pass.example"
	own := letter("own", b.Addr, "carl@pass.example")
	six := letter("six", "2001:db8:99::7", "carl@pass.example")
	six.Server = "[2001:db8::10]:25"
	alias := letter("alias", "198.51.100.5", "carl@pass.example")
	alias.To = "info@lab.example"
	return []lab.Letter{plain, forwarded, rewritten, kept, bounce, roaming, authenticated, own, six, alias}
}

// signKept prints a message of signed.example as a list sends it on that changes nothing
// of what is signed.
const signKept = `
import base64, dkim
text = b"From: <dora@signed.example>\r\nTo: <list@lists.example>\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@signed.example>\r\n\r\nhello\r\n"
signed = dkim.sign(text, b"s", b"signed.example", open("/root/signed.pem", "rb").read(), include_headers=[b"From", b"To", b"Date", b"Message-ID"])
print(base64.b64encode(b"Subject: kept\r\nList-Id: <list.lists.example>\r\n" + signed + text).decode())
`

// doorFault is what befalls the server while mail comes in.
type doorFault struct{ name, inject, mend string }

const fillUp = `for dir in /var/spool/postfix /var/mail; do dd if=/dev/zero of=$dir/full bs=64k 2>/dev/null || :; done; sleep 2`

var doorFaults = []doorFault{
	{"the resolver is dead", "systemctl stop named; sleep 3", "systemctl start named"},
	{"the resolver is slow", "systemctl kill -s STOP named; sleep 4", "systemctl kill -s CONT named"},
	{"the policy daemon is killed", "for i in $(seq 15); do pkill -9 -f 'python3? .*policyd-sp[f]' || :; sleep .2; done", ""},
	{"OpenDMARC is killed", "for i in $(seq 3); do systemctl kill -s KILL opendmarc; sleep 1; done", "systemctl reset-failed opendmarc; systemctl restart opendmarc"},
	{"OpenDKIM is killed", "for i in $(seq 3); do systemctl kill -s KILL opendkim; sleep 1; done", "systemctl reset-failed opendkim; systemctl restart opendkim"},
	{"the suffix list is gone", "mv /usr/share/publicsuffix /usr/share/gone; systemctl restart opendmarc", "mv /usr/share/gone /usr/share/publicsuffix; systemctl restart opendmarc"},
	{"a list refuses to answer", `printf '* A 127.255.255.254\n' >>/etc/bind/db.bl.example; rndc reload bl.example; sleep 2`, `sed -i '$d' /etc/bind/db.bl.example; rndc reload bl.example`},
	{"the disk is full", fillUp, "rm -f /var/spool/postfix/full /var/mail/full"},
}

// meanwhile sends honest mail from all kinds of clients while something is wrong: none is
// refused for good, and all arrives in the end.
func meanwhile(t *testing.T, b *lab.Box, mode string, mail []lab.Letter, n int, f doorFault) {
	t.Helper()
	before := arrivals(t, b)
	sending := b.Load(t, lab.LoadOptions{Letters: mail, Strangers: 8, Count: n, Pause: 200 * time.Millisecond})
	b.Sh(t, f.inject)
	b.Sh(t, f.mend)
	load := sending.Wait(t)
	lost, twice := map[string]bool{}, 0
	for range 120 {
		now := arrivals(t, b)
		clear(lost)
		twice = 0
		for _, subject := range load.Sent {
			if now[subject] == before[subject] {
				lost[subject] = true
			} else if now[subject] > before[subject]+1 {
				twice++
			}
		}
		if len(lost) == 0 {
			break
		}
		b.Hurry(t.Context())
		time.Sleep(500 * time.Millisecond)
	}
	t.Logf("%s, %s: %d sent, %d deferred, %d sessions broken, %d refused for good, %d lost", mode, f.name, len(load.Sent), load.Deferred, load.Broken, len(load.Refused), len(lost))
	if len(load.Sent)+len(load.Refused) != n {
		t.Errorf("%s, %s: %d of %d messages were sent", mode, f.name, len(load.Sent), n)
	}
	if len(load.Refused) > 0 || len(lost) > 0 {
		t.Errorf("%s, %s: refused %.3q, lost %v\n%s", mode, f.name, load.Refused, lost, b.Sh(t, "mailq | tail -n 20; journalctl -n 30 --no-pager"))
	}
	if twice > load.Broken {
		t.Errorf("%s, %s: %d messages arrived twice", mode, f.name, twice)
	}
}

var subjectLine = regexp.MustCompile(`(?m)^Subject: (.+)$`)

// arrivals counts the messages in ann's mailbox by their Subject.
func arrivals(t *testing.T, b *lab.Box) map[string]int {
	t.Helper()
	of := map[string]int{}
	for _, m := range subjectLine.FindAllStringSubmatch(b.Sh(t, "cat /var/mail/ann 2>/dev/null || true"), -1) {
		of[strings.TrimSpace(m[1])]++
	}
	return of
}

// arrived waits for a message in ann's mailbox and returns its header.
func arrived(t *testing.T, b *lab.Box, subject string) (header string) {
	t.Helper()
	becomes(t, b, "grep -q '^Subject: "+subject+"' /var/mail/ann")
	for mail := range strings.SplitSeq("\n"+b.Sh(t, "cat /var/mail/ann"), "\nFrom ") {
		if strings.Contains(mail, "\nSubject: "+subject+"\n") {
			header, _, _ = strings.Cut(mail, "\n\n")
		}
	}
	return header
}

// TestInbound: what guards port 25 lets every honest message in, in every mode, also while
// something is wrong; forged mail is marked or refused as asked; off gives back the bytes.
func TestInbound(t *testing.T) { doorKeepsMail(t, 125, false) }

// TestSoakInbound is the same with a thousand messages for each fault in each mode.
func TestSoakInbound(t *testing.T) { doorKeepsMail(t, 1000, true) }

// doorKeepsMail sends n messages while something is wrong. Each fault is tried in one mode
// of a release, and in the other mode of the other release, if not all are.
func doorKeepsMail(t *testing.T, n int, all bool) {
	t.Helper()
	each(t, func(t *testing.T, release string) {
		b := receiver(t, release)
		b.Apt(t, "postfix-policyd-spf-python", "opendmarc")
		product(t, b, 0, "init", "--yes") // of the address that came
		mail := honest(t, b)
		was := look(t, b)
		modes := []string{"mark", "reject"}
		for i, mode := range modes {
			product(t, b, 0, "inbound", "--yes", "--spf", mode, "--dmarc", "mark", "--dnsbl", "bl.example", "--allow", "198.51.100.77")
			found, _ := check(t, b, "--only", "in")
			found = slices.DeleteFunc(found, func(f finding.Finding) bool { return i > 0 && f.ID == "in.open" }) // OpenDMARC was killed
			if len(found) == 0 || wrong(found, finding.Problem, finding.Warning) != "" {
				t.Errorf("%s: %d findings\n%s", mode, len(found), wrong(found, finding.Problem, finding.Warning))
			}
			for _, m := range mail {
				if said, taken := b.Send(t, numbered(m, mode)); !taken {
					t.Errorf("%s: %s is refused: %s", mode, m.Subject, said)
				}
			}
			for _, m := range mail {
				arrived(t, b, numbered(m, mode).Subject)
			}
			forged(t, b, mode)
			seen, _ := product(t, b, 0, "check", "--only", "in.service")
			says(t, seen, "0 problems, 0 warnings, 0 unknown")
			for j, f := range doorFaults {
				if all || (j+slices.Index(lab.Releases(), release))%len(modes) == i {
					meanwhile(t, b, mode, mail, n, f)
				}
			}
		}
		stdout, _ := product(t, b, 0, "inbound", "--yes", "--spf", "off", "--dmarc", "off", "--dnsbl", "none", "--disallow", "198.51.100.77")
		says(t, stdout, "Mail of this server leaves signed.")
		is := look(t, b)
		for _, settings := range []string{"/etc/mailsetup/host.toml", "/var/lib/mailsetup/written.json"} { // which say that it is off
			delete(was.tree, settings)
			delete(is.tree, settings)
		}
		unchanged(t, was, is)
	})
}

// numbered gives a letter a Subject that comes once.
func numbered(m lab.Letter, with string) lab.Letter {
	subject := m.Subject + "-" + with
	m.Raw = []byte(strings.Replace(string(m.Raw), "Subject: "+m.Subject, "Subject: "+subject, 1))
	if m.Subject = subject; len(m.Raw) == 0 {
		m.Raw = nil
	}
	return m
}

// forged is mail with a sender of others.
func forged(t *testing.T, b *lab.Box, mode string) {
	t.Helper()
	m := lab.Letter{Subject: "forged-" + mode, Client: "198.51.100.66", From: "carl@pass.example", To: "ann@lab.example", Helo: "x.example", Body: "hello"}
	said, taken := b.Send(t, m)
	switch mode {
	case "mark":
		if !taken {
			t.Fatalf("forged mail is refused: %s", said)
		}
		says(t, arrived(t, b, m.Subject), "Received-SPF: Fail", "dmarc=fail")
	default:
		if taken || !strings.HasPrefix(said, "550 5.7.23 <ann@lab.example>: Recipient address rejected: ") {
			t.Errorf("forged mail: taken %v, %s", taken, said)
		}
	}
	m.Client, m.From, m.Subject = "198.51.100.99", "x@lists.example", "listed"
	if said, taken := b.Send(t, m); taken || !strings.Contains(said, "554 5.7.1 Service unavailable; Client host [198.51.100.99] blocked using bl.example") {
		t.Errorf("mail of a client on a block list: taken %v, %s", taken, said)
	}
}
