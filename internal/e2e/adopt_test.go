//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// handmade is a server whose OpenDKIM somebody set up.
type handmade struct {
	name    string
	domains []string // whose zones are here, beside lab.example
	files   map[string]string
	setup   string // in a shell, once the files are there
	// keys are the records to publish: zone, and the file of opendkim-genkey.
	keys map[string]string
	// senders are addresses, some with the client that sends, and the domain that
	// signs for them; "" for none.
	senders map[string]string
	listed  []string // what adopt says of it
}

// shapes are those that the field is full of, and an odd one.
func shapes() []handmade {
	return []handmade{
		{
			// Debian's own configuration, with its comments taken off. The key
			// is as opendkim-genkey leaves it: root's, which is enough here.
			name: "single",
			files: map[string]string{"/etc/opendkim.conf": `# This is a basic configuration for signing and verifying.
Syslog			yes
SyslogSuccess		yes
Canonicalization	relaxed/simple
Domain			lab.example
Selector		Mail2019
KeyFile			/etc/dkimkeys/mail.private
SubDomains		yes
OversignHeaders		From
UserID			opendkim
UMask			007
#Socket			local:/run/opendkim/opendkim.sock
Socket			inet:8891@localhost
PidFile			/run/opendkim/opendkim.pid
Nameservers		127.0.0.1
InternalHosts		127.0.0.1, ::1, 192.0.2.10
`},
			setup: `cd /etc/dkimkeys; opendkim-genkey -b 1024 -d lab.example -s Mail2019
mv Mail2019.private mail.private; chown root:root mail.private
postconf -e smtpd_milters=inet:localhost:8891 'non_smtpd_milters=$smtpd_milters' milter_default_action=accept`,
			keys: map[string]string{"lab.example": "/etc/dkimkeys/Mail2019.txt"},
			senders: map[string]string{
				"ann@lab.example": "lab.example", "root@mail.lab.example": "lab.example", "ann@a.b.lab.example": "lab.example", "ann@shop.example": "",
			},
			listed: []string{
				"lab.example signs mail of @lab.example and @.lab.example with selector Mail2019, the 1024 bits in /etc/dkimkeys/mail.private",
				"~ /etc/dkimkeys/mail.private", "the user opendkim cannot read /etc/dkimkeys/mail.private (root:root, mode 0600)",
			},
		},
		{
			// As the tutorials have it.
			name: "tutorial", domains: []string{"shop.example", "b.example"},
			files: map[string]string{
				"/etc/opendkim.conf": `AutoRestart             Yes
AutoRestartRate         10/1h
UMask                   002
Syslog                  yes
SyslogSuccess           Yes
LogWhy                  Yes
Canonicalization        relaxed/simple
ExternalIgnoreList      refile:/etc/opendkim/TrustedHosts
InternalHosts           refile:/etc/opendkim/TrustedHosts
KeyTable                refile:/etc/opendkim/KeyTable
SigningTable            refile:/etc/opendkim/SigningTable
Mode                    sv
PidFile                 /var/run/opendkim/opendkim.pid
SignatureAlgorithm      rsa-sha256
UserID                  opendkim:opendkim
Nameservers             127.0.0.1
Socket                  inet:12301@localhost
`,
				"/etc/opendkim/TrustedHosts": "127.0.0.1\nlocalhost\n192.168.0.1/24\n192.0.2.10\n*.lab.example\n",
				"/etc/opendkim/KeyTable": `mail._domainkey.lab.example lab.example:mail:/etc/opendkim/keys/lab.example/mail.private
mail._domainkey.shop.example shop.example:mail:/etc/opendkim/keys/shop.example/mail.private
#mail._domainkey.b.example b.example:mail:/etc/opendkim/keys/b.example/mail.private
2020._domainkey.b.example b.example:2020:/etc/opendkim/keys/b.example/2020.private
`,
				"/etc/opendkim/SigningTable": "*@lab.example mail._domainkey.lab.example\n*@Shop.example mail._domainkey.shop.example\n\n*@b.example 2020._domainkey.b.example\n",
			},
			setup: `cd /etc/opendkim; mkdir -p keys/lab.example keys/shop.example keys/b.example
opendkim-genkey -D keys/lab.example -d lab.example -s mail; opendkim-genkey -D keys/shop.example -d shop.example -s mail
opendkim-genkey -D keys/b.example -d b.example -s 2020
chown -R opendkim:opendkim /etc/opendkim; chmod 700 /etc/opendkim/keys
postconf -e 'smtpd_milters = inet:localhost:12301' 'non_smtpd_milters = inet:localhost:12301' milter_protocol=2 milter_default_action=accept`,
			keys: map[string]string{
				"lab.example": "/etc/opendkim/keys/lab.example/mail.txt", "shop.example": "/etc/opendkim/keys/shop.example/mail.txt",
				"b.example": "/etc/opendkim/keys/b.example/2020.txt",
			},
			senders: map[string]string{
				"ann@lab.example": "lab.example", "ann@shop.example": "shop.example", "bob@B.example": "b.example", "bob@x.b.example": "",
			},
			listed: []string{
				"b.example signs mail of @b.example with selector 2020, the 2048 bits in /etc/opendkim/keys/b.example/2020.private",
				"shop.example signs mail of @shop.example with selector mail",
				"new: mail of @mail.lab.example, as root, cron and bounces have it, gets signed, too, with the key of lab.example",
				"new: bounces that this server writes get signed (internal_mail_filter_classes = bounce)",
				"new: DNS gets the records that it does not have: ", "SPF of mail.lab.example",
			},
		},
		{
			// One key for all, tables of exact names, a socket that Postfix
			// reaches as a member of the group.
			name: "shared", domains: []string{"shop.example"},
			files: map[string]string{
				"/etc/opendkim.conf": `Syslog yes
UserID opendkim
UMask 007
PidFile /run/opendkim/opendkim.pid
Socket local:/var/spool/postfix/var/run/opendkim/opendkim.sock
Nameservers 127.0.0.1
KeyTable /etc/dkimkeys/keytable
SigningTable file:/etc/dkimkeys/signingtable
InternalHosts /etc/dkimkeys/trusted
`,
				"/etc/dkimkeys/keytable":     "# the same for all\nshared %:s1:/etc/dkimkeys/all.private\n",
				"/etc/dkimkeys/signingtable": "lab.example shared\nSHOP.example shared\n*@b.example shared # never matched\n",
				"/etc/dkimkeys/trusted":      "127.0.0.1\n::1\n192.0.2.10\n",
			},
			setup: `cd /etc/dkimkeys; opendkim-genkey -d lab.example -s s1; mv s1.private all.private; chown opendkim: *
install -d -o opendkim -g opendkim -m 750 /var/spool/postfix/var/run/opendkim; adduser --quiet postfix opendkim
postconf -e smtpd_milters=unix:/var/run/opendkim/opendkim.sock 'non_smtpd_milters=$smtpd_milters' milter_default_action=accept
systemctl restart postfix`,
			keys:    map[string]string{"lab.example": "/etc/dkimkeys/s1.txt", "shop.example": "/etc/dkimkeys/s1.txt"},
			senders: map[string]string{"ann@lab.example": "lab.example", "ann@shop.example": "shop.example", "ann@b.example": ""},
			listed: []string{
				"lab.example signs mail of @lab.example with selector s1, the 2048 bits in /etc/dkimkeys/all.private",
				"shop.example signs mail of @shop.example with selector s1, the 2048 bits in /etc/dkimkeys/all.private",
				"/etc/dkimkeys/signingtable:3: *@b.example is like no address",
			},
		},
		{
			// Everything is legal here, and nothing usual.
			name: "odd", domains: []string{"shop.example"},
			files: map[string]string{
				"/etc/opendkim.conf": `Include /etc/mail/dkim/more.conf
CANONICALIZATION relaxed/relaxed
SignHeaders From,To,Subject,Date,Message-ID,List-Id
OversignHeaders From,Subject
SignatureTTL 604800
PidFile /run/opendkim/opendkim.pid
RequireSafeKeys No
SubDomains yes
Domain ignored.example
KeyTable csl:main=lab.example:main:/etc/mail/dkim/main.key,news=news.lab.example:n1:/etc/mail/dkim/news.key
SigningTable refile:/etc/mail/dkim/who
InternalHosts file:/etc/mail/dkim/inside
Socket inet:8891@127.0.0.1
UserID opendkim
Nameservers 127.0.0.1
`,
				"/etc/mail/dkim/more.conf": "Canonicalization simple/simple\nSyslog yes\nMode s\n",
				"/etc/mail/dkim/who": `news@lab.example    news:@news.lab.example
*@lab.example       main
boss@*.lab.example  main:boss@lab.example
*@*.lab.example     main:@%
ann@shop.example    main
eve@lab.example     news   # too late
`,
				"/etc/postfix/lan":      "10.20.0.0/16 permit\n",
				"/etc/mail/dkim/inside": "127.0.0.1\n::1\n10.20.30.0/24\n!10.20.30.66\n192.0.2.10\n",
			},
			setup: `cd /etc/mail/dkim; opendkim-genkey -d lab.example -s main; opendkim-genkey -d news.lab.example -s n1
mv main.private main.key; mv n1.private news.key; chown opendkim: *.key; chmod 644 news.key
postconf -e smtpd_milters=inet:127.0.0.1:8891 non_smtpd_milters=inet:127.0.0.1:8891 milter_default_action=accept \
	'smtpd_relay_restrictions = permit_mynetworks, check_client_access cidr:/etc/postfix/lan, reject_unauth_destination'`,
			keys: map[string]string{"lab.example": "/etc/mail/dkim/main.txt", "news.lab.example": "/etc/mail/dkim/n1.txt"},
			senders: map[string]string{
				"ann@lab.example": "lab.example", "news@lab.example": "news.lab.example", "ann@news.lab.example": "lab.example",
				"boss@x.y.lab.example": "lab.example", "ann@shop.example": "lab.example", "bob@shop.example": "", "eve@lab.example": "lab.example",
				"ann@lab.example 10.20.30.77": "lab.example", "ann@lab.example 10.20.30.66": "",
			},
			listed: []string{
				"lab.example signs mail of @lab.example, @.lab.example, boss@.lab.example and ann@shop.example with selector main",
				"news.lab.example signs mail of news@lab.example with selector n1, the 2048 bits in /etc/mail/dkim/news.key",
				"/etc/mail/dkim/news.key (mode 0644) is open to everybody",
				"/etc/mail/dkim/who:6: eve@lab.example never counts: /etc/mail/dkim/who:2 matches first",
			},
		},
	}
}

// restartSigner does not wait the five seconds in which an idle OpenDKIM notices
// that it should end.
const restartSigner = "systemctl kill -s KILL opendkim; systemctl stop opendkim; systemctl reset-failed opendkim; systemctl start opendkim"

// boots brings up the server as somebody set it up.
func (h handmade) boots(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b := server(t, release, lab.Mail)
	if len(h.domains) > 0 {
		b.NamedAll(t, h.domains...)
	}
	for path, text := range h.files {
		b.Sh(t, "mkdir -p $(dirname "+path+")")
		b.Write(t, path, text, 0o644)
	}
	b.Sh(t, "set -e\n"+h.setup+"\npostfix reload\n"+restartSigner)
	for name, file := range h.keys {
		origin := name
		if name == "news.lab.example" {
			origin = "lab.example"
		}
		text := b.Read(t, file)
		publishIn(t, b, origin, strings.Replace(text, "._domainkey", "._domainkey."+name+".", 1))
	}
	return b, b.Sink(t)
}

// TestAdopt: what somebody set up is taken over, and no signature changes but
// in its time; every kind of mail leaves with one; a rollback gives everything
// back, and after an uninstall who signed before signs again.
func TestAdopt(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		for _, h := range shapes() {
			t.Run(h.name, func(t *testing.T) {
				t.Parallel()
				b, sink := h.boots(t, release)
				was, before := look(t, b), h.signatures(t, b, sink)
				h.lists(t, b)
				asBefore(t, b, was)

				// One shape a release moves while mail flows; the others took it, too.
				while := func(_ string, change func()) { change() }
				if h.name == map[string]string{"bookworm": "single", "trixie": "shared"}[release] {
					while = func(name string, change func()) { under(t, b, sink, calm, name, change) }
				}
				while("adopt", func() { product(t, b, 0, adoptArgs()...) })
				compare(t, before, h.signatures(t, b, sink))
				everyKindOnce(t, b, sink)
				movedTo(t, b)
				noProblem(t, b)
				nothingChanges(t, b, adoptArgs()...)
				nothingChanges(t, b, "init", "--yes")

				while("rollback", func() { product(t, b, 0, "rollback", "--yes") })
				asBefore(t, b, was)
				compare(t, before, h.signatures(t, b, sink))

				if h.name == map[string]string{"bookworm": "shared", "trixie": "single"}[release] {
					product(t, b, 0, adoptArgs()...)
					product(t, b, 0, "uninstall", "--yes")
					compare(t, before, h.signatures(t, b, sink))
					for path, is := range b.Snapshot(t, "/etc/opendkim.conf", "/etc/postfix", "/etc/mailsetup") {
						if was.tree[path] != is {
							t.Errorf("%s: was %s, is %s", path, was.tree[path], is)
						}
					}
				}
			})
		}
	})
}

// TestInitAdopts: init does the same on the way, with a domain of its own
// beside what is there; those that were taken over are like any other then.
func TestInitAdopts(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		h := shapes()[1]
		h.domains = append(h.domains, "new.example")
		b, sink := h.boots(t, release)
		before := h.signatures(t, b, sink)
		if release == "trixie" {
			adoptInTerminal(t, b)
		}
		out, _ := product(t, b, 0, "init", "--yes", "--json", "--domain", "new.example", "--ip", "192.0.2.10")
		says(t, out, `"selector": "2020"`, `"file": "/etc/opendkim/keys/b.example/2020.private"`, `"at": "/etc/opendkim/SigningTable:4"`)
		compare(t, before, h.signatures(t, b, sink))
		leavesSignedBy(t, b, sink, "new.example")
		everyKindOnce(t, b, sink)
		nothingChanges(t, b, "init", "--yes")
		out, _ = product(t, b, 0, "init", "--yes", "--domain", "shop.example", "--dmarc", "quarantine")
		saysNot(t, out, "opendkim")
		compare(t, before, h.signatures(t, b, sink))
		b.Reboot(t)
		compare(t, before, h.signatures(t, b, sink))
		noOneElse(t, b)
	})
}

// adoptInTerminal asks what the set-up does not say, and takes a no.
func adoptInTerminal(t *testing.T, b *lab.Box) {
	t.Helper()
	before, term := treeOf(t, b), openTerminal(t, b)
	term.begins(t, "PAGER=cat mailsetup init")
	term.sees(t, "question 1 of 6", "> mail.lab.example", "OpenDKIM signs for lab.example, shop.example, b.example: taken over as it is")
	for !strings.Contains(term.sees(t, "ctrl+c"), confirmQuestion) {
		term.types(t, "Enter")
		time.Sleep(100 * time.Millisecond)
	}
	term.types(t, "a")
	term.scrolls(t, "taken over", "/etc/opendkim/keys/shop.example/mail.private")
	term.sees(t, confirmQuestion, "ctrl+c")
	term.types(t, "n")
	term.sees(t, "nothing was changed", "exit=1\n")
	same(t, before, treeOf(t, b))
}

// noOneElse insists that the keys are as they were, and only in their places.
func noOneElse(t *testing.T, b *lab.Box) {
	t.Helper()
	for path, is := range b.Snapshot(t, "/etc/opendkim/keys") {
		if strings.HasSuffix(path, ".private") && !strings.HasPrefix(is, "-rw------- ") {
			t.Errorf("%s: %s", path, is)
		}
	}
	if found := b.Sh(t, `grep -rlsaD skip "BEGIN.*PRIVATE KEY" /var /run /tmp /root || true`); strings.Contains(found, "\n") {
		for line := range strings.Lines(found) {
			if !strings.HasPrefix(line, "/var/lib/mailsetup/journal/") {
				t.Errorf("private key material in %s", line)
			}
		}
	}
}

// TestAdoptRefuses: what has no equivalent is told with its line, and nothing is
// touched.
func TestAdoptRefuses(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		h := shapes()[1]
		b, _ := h.boots(t, release)
		was, units := look(t, b), invocations(t, b)
		for _, c := range []struct{ file, line, said, hint string }{
			{"/etc/opendkim/SigningTable", "*@*.b.example any", `/etc/opendkim/SigningTable:5: KeyTable has no key "any"`, "correct the name"},
			{"/etc/opendkim/SigningTable", "(ann|bob)@c.example mail._domainkey.lab.example", "/etc/opendkim/SigningTable:5: the pattern", "*@DOMAIN"},
			{"/etc/opendkim/SigningTable", "ann@b.example mail._domainkey.b.example", `/etc/opendkim/SigningTable:5: KeyTable has no key`, "correct"},
			{"/etc/opendkim.conf", "KeyTable dsn:mysql://x", `/etc/opendkim.conf:18: KeyTable is of the type "dsn"`, "file:PATH"},
			{"/etc/opendkim.conf", "SetupPolicyScript /etc/x.lua", "/etc/opendkim.conf:18: SetupPolicyScript is a program", "do without"},
			{"/etc/opendkim.conf", "PeerList refile:/etc/opendkim/TrustedHosts", "/etc/opendkim.conf:18: PeerList names /etc/opendkim/TrustedHosts", "a file of its own"},
		} {
			text := b.Read(t, c.file)
			b.Write(t, c.file, text+c.line+"\n", 0o644)
			for _, command := range []string{"adopt", "init"} {
				_, stderr := product(t, b, 2, command, "--yes", "--ip", "192.0.2.10")
				says(t, stderr, c.said, "hint: ", c.hint)
			}
			b.Write(t, c.file, text, 0o644)
		}
		b.Sh(t, "mv /etc/opendkim/keys/b.example/2020.private /root/")
		_, stderr := product(t, b, 2, "adopt", "--yes", "--ip", "192.0.2.10")
		says(t, stderr, "/etc/opendkim/KeyTable:4: the key of b.example: read /etc/opendkim/keys/b.example/2020.private: no such file")
		b.Sh(t, "mv /root/2020.private /etc/opendkim/keys/b.example/; chown -R opendkim: /etc/opendkim")
		asBefore(t, b, was)
		if got := invocations(t, b); got != units {
			t.Errorf("units were touched:\n%s\nbefore:\n%s", got, units)
		}
	})
}

func adoptArgs(more ...string) []string {
	return append([]string{"adopt", "--yes", "--ip", "192.0.2.10"}, more...)
}

// lists insists that a dry run tells all of it, and init the same.
func (h handmade) lists(t *testing.T, b *lab.Box) {
	t.Helper()
	out, _ := product(t, b, 0, "adopt", "--dry-run", "--ip", "192.0.2.10")
	says(t, strings.Join(strings.Fields(out), " "), h.listed...)
	out, _ = product(t, b, 0, "init", "--dry-run", "--ip", "192.0.2.10")
	says(t, strings.Join(strings.Fields(out), " "), h.listed...)
	saysNot(t, out, "made after you confirm")
}

// movedTo insists that Postfix asks OpenDKIM at our socket and nowhere else.
func movedTo(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		got := strings.TrimSpace(b.Run(t, "postconf", "-xh", name))
		if want := "{ unix:opendkim/opendkim.sock, default_action=tempfail }"; got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

// signatures are those of one letter of each sender, without what differs each
// time. Both verifiers must accept them.
func (h handmade) signatures(t *testing.T, b *lab.Box, sink *lab.Sink) map[string]string {
	t.Helper()
	all := map[string]string{}
	for sender, domain := range h.senders {
		at := sink.Count()
		from, client, _ := strings.Cut(sender, " ")
		raw := fmt.Sprintf("From: Somebody <%s>\nTo: bob@remote.example\nSubject: the  same\nDate: Tue, 24 Nov 2026 10:00:00 +0000\n"+
			"Message-ID: <1@lab.example>\nMIME-Version: 1.0\n\nThe same  body. \n\n", from)
		if said, taken := b.Send(t, lab.Letter{From: from, To: "bob@remote.example", Client: client, Raw: []byte(raw)}); !taken {
			t.Fatalf("%s: %s", from, said)
		}
		msg := sink.Wait(t, at+1, time.Minute)[at].Data
		if domain == "" {
			if found := lab.VerifyDKIM(t, b, msg); len(found) != 0 {
				t.Errorf("mail of %s is signed: %+v", sender, found)
			}
			continue
		}
		signedBy(t, b, msg, domain)
		all[sender] = constant(t, msg)
	}
	return all
}

var signatureField = regexp.MustCompile(`(?m)^DKIM-Signature:((?:.*\r?\n)(?:[ \t].*\r?\n)*)`)

// constant is a signature's every tag, in order, but for the value of t= and
// b=, and with x= counted from t=.
func constant(t *testing.T, msg []byte) string {
	t.Helper()
	head, _, _ := bytes.Cut(msg, []byte("\r\n\r\n"))
	m := signatureField.FindSubmatch(append(head, "\r\n"...))
	if m == nil {
		t.Fatalf("no signature in\n%s", msg)
	}
	var tags []string
	signed := 0
	for tag := range strings.SplitSeq(string(m[1]), ";") {
		name, value, _ := strings.Cut(strings.Join(strings.Fields(tag), ""), "=")
		switch n, _ := strconv.Atoi(value); name {
		case "t":
			value, signed = "", n
		case "x":
			value = strconv.Itoa(n - signed)
		case "b":
			value = ""
		}
		tags = append(tags, name+"="+value)
	}
	return strings.Join(tags, "; ")
}

func compare(t *testing.T, before, after map[string]string) {
	t.Helper()
	for from, was := range before {
		if after[from] != was {
			t.Errorf("mail of %s was signed\n%s\nand is signed\n%s", from, was, after[from])
		}
	}
}

// everyKindOnce sends what has no client: mail by sendmail(1), and a bounce.
func everyKindOnce(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	at := sink.Count()
	b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i
printf 'From: bob@remote.example\nTo: nobody-here@mail.lab.example\nSubject: bounce me\n\nhello\n' | /usr/sbin/sendmail -f bob@remote.example -i nobody-here@mail.lab.example`)
	msgs := sink.Wait(t, at+2, 90*time.Second)[at:]
	for _, m := range msgs {
		signedBy(t, b, m.Data, "lab.example")
	}
	if !slices.ContainsFunc(msgs, func(m lab.Message) bool { return bytes.Contains(m.Data, []byte("MAILER-DAEMON")) }) {
		t.Errorf("no bounce among %d messages", len(msgs))
	}
}
