//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// TestEximInbound: with exim4, honest mail comes in and forged mail is marked or refused as
// asked; exim4-daemon-heavy takes the place of the light one and loses no mail; off, and a
// rollback, give back the bytes. The layout of the configuration is split on one release.
func TestEximInbound(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := eximServer(t, release)
		split := release == "trixie"
		eximReceiver(t, b, split)
		sink := b.Sink(t)
		product(t, b, 0, initArgs("--mta", "exim4", "--ttl", "60")...)
		was := eximLook(t, b)

		_, said := product(t, b, 2, "inbound", "--yes", "--dmarc", "mark")
		says(t, said, "no exim4 of Debian can check DMARC", "rspamd judges DMARC")
		_, said = product(t, b, 2, "inbound", "--yes", "--spf", "mark")
		says(t, strings.Join(strings.Fields(said), " "), "exim4-daemon-light cannot check SPF", "apt removes: exim4-daemon-light.", "hint: --replace-mta allows it")
		same(t, was, eximLook(t, b))

		// Before SPF there are block lists, which the light daemon asks.
		product(t, b, 0, "inbound", "--yes", "--dnsbl", "bl.example")
		refusedAs(t, b, eximLetter("listed-light", "198.51.100.99", "x@lists.example"), "550 5.7.1 Service unavailable; client [198.51.100.99] is blocked using bl.example")
		product(t, b, 0, "rollback", "--yes")
		same(t, was, eximLook(t, b))

		before := sink.Count()
		b.Sh(t, `printf 'From: ann@lab.example\nTo: bob@remote.example\nSubject: waiting\n\nx\n' | sendmail -odq -f ann@lab.example bob@remote.example`)
		checks := []string{"--dnsbl", "bl.example", "--allow", "198.51.100.77", "--allow", "mail.friend.example", "--allow", "@ally.example"}
		product(t, b, 0, append([]string{"inbound", "--yes", "--replace-mta", "--spf", "mark"}, checks...)...)
		says(t, b.Run(t, "exim4", "-bV"), " SPF ")
		b.Sh(t, "exim4 -qff")
		signedBy(t, b, sink.Wait(t, before+1, time.Minute)[before].Data, "lab.example")
		nothingChanges(t, b, "inbound", "--yes")
		eximKeepsMail(t, b, "mark", split)
		says(t, arrived(t, b, eximTakes(t, b, eximLetter("forged-mark", "198.51.100.66", "carl@pass.example"))), "Received-SPF: fail (mail.lab.example: domain of pass.example does not designate 198.51.100.66")

		product(t, b, 0, "inbound", "--yes", "--spf", "reject")
		eximKeepsMail(t, b, "reject", split)
		refusedAs(t, b, eximLetter("forged", "198.51.100.66", "carl@pass.example"), "550 5.7.23 198.51.100.66 is not allowed to send mail from pass.example (SPF)")
		refusedAs(t, b, eximLetter("listed", "198.51.100.99", "x@none.example"), "is blocked using")
		if found, _ := check(t, b, "--only", "in"); len(found) == 0 || wrong(found, finding.Problem, finding.Warning) != "" {
			t.Errorf("%d findings\n%s", len(found), wrong(found, finding.Problem, finding.Warning))
		}
		eximInTrouble(t, b)
		eximEdited(t, b)

		product(t, b, 0, "inbound", "--yes", "--allow", "198.51.100.66") // at once
		eximTakes(t, b, eximLetter("allowed-now", "198.51.100.66", "carl@pass.example"))
		product(t, b, 0, "rollback", "--yes")
		refusedAs(t, b, eximLetter("forged-again", "198.51.100.66", "carl@pass.example"), "550 5.7.23 ")
		product(t, b, 0, "inbound", "--yes", "--spf", "off", "--dnsbl", "none")
		same(t, was, eximLook(t, b))
		eximTakes(t, b, eximLetter("forged-off", "198.51.100.66", "carl@pass.example"))
		eximOwnFile(t, b, split)
	})
}

// eximOwnFile: Debian's ACL includes one file, and one of the administrator's includes ours.
func eximOwnFile(t *testing.T, b *lab.Box, split bool) {
	t.Helper()
	macros := "/etc/exim4/exim4.conf.localmacros"
	if split {
		macros = "/etc/exim4/conf.d/main/00_own"
	}
	b.Sh(t, "echo '  warn add_header = X-Own: yes' >/etc/exim4/own; echo 'CHECK_RCPT_LOCAL_ACL_FILE = CONFDIR/own' >>"+macros+"; systemctl restart exim4")
	_, said := product(t, b, 2, "inbound", "--yes", "--dnsbl", "bl.example")
	says(t, said, macros+":", "names a file of yours")
	command, _, _ := strings.Cut(said[strings.Index(said, "hint: ")+len("hint: "):], ", then")
	b.Sh(t, command)
	was := eximLook(t, b)
	product(t, b, 0, "inbound", "--yes", "--dnsbl", "bl.example")
	refusedAs(t, b, eximLetter("listed-own", "198.51.100.99", "x@none.example"), "is blocked using")
	says(t, arrived(t, b, eximTakes(t, b, eximLetter("own-file", "198.51.100.5", "carl@pass.example"))), "X-Own: yes")
	product(t, b, 0, "inbound", "--yes", "--dnsbl", "none")
	same(t, was, eximLook(t, b))
}

// eximReceiver has exim4 take mail of strangers for ann, relay for a network, let ann log in
// where the configuration is split, and makes the zones of these strangers.
func eximReceiver(t *testing.T, b *lab.Box, split bool) {
	t.Helper()
	b.Sh(t, "id ann >/dev/null 2>&1 || useradd -m ann; echo 'info: ann' >>/etc/aliases")
	if split {
		b.Write(t, "/etc/exim4/conf.d/auth/10_lab", "lab_plain:\n  driver = plaintext\n  public_name = PLAIN\n  server_condition = ${if and{{eq{$auth2}{ann}}{eq{$auth3}{secret}}}}\n  server_set_id = $auth2\n", 0o644)
		eximSet(t, b, "dc_relay_nets=10.20.30.0/24 dc_use_split_config=true")
	} else {
		eximSet(t, b, "dc_relay_nets=10.20.30.0/24")
	}
	for origin, lines := range map[string][]string{
		"pass.example":   {`@ TXT "v=spf1 ip4:198.51.100.5 ip6:2001:db8:99::7 -all"`},
		"lists.example":  {`@ TXT "v=spf1 ip4:198.51.100.30 -all"`},
		"ally.example":   {`@ TXT "v=spf1 -all"`},
		"friend.example": {"mail A 198.51.100.44"},
		"broken.example": {`@ TXT "v=spf1 ip4:300.1.1.1 -all"`},
		"bl.example":     {"2.0.0.127 A 127.0.0.2", "99.100.51.198 A 127.0.0.2"},
	} {
		b.Named(t, origin, lines...)
	}
	b.Named(t, "100.51.198.in-addr.arpa", "44 PTR mail.friend.example.")
}

func eximLetter(subject, client, from string) lab.Letter {
	return lab.Letter{Subject: subject, Client: client, From: from, To: "ann@lab.example", Helo: "mx.pass.example", Body: "hello"}
}

// eximTakes sends a letter that must be taken, and returns its subject.
func eximTakes(t *testing.T, b *lab.Box, m lab.Letter) string {
	t.Helper()
	if said, taken := b.Send(t, m); !taken {
		t.Errorf("%s is refused: %s", m.Subject, said)
	}
	return m.Subject
}

// folded is where Exim breaks a long reply.
var folded = regexp.MustCompile(`\s*\n\s*5\.7\.[0-9]+ `)

func refusedAs(t *testing.T, b *lab.Box, m lab.Letter, words string) {
	t.Helper()
	if said, taken := b.Send(t, m); taken || !strings.Contains(folded.ReplaceAllString(said, " "), words) {
		t.Errorf("%s: taken %v, %s", m.Subject, taken, said)
	}
}

// eximKeepsMail sends honest mail of many kinds: all of it is taken and arrives.
func eximKeepsMail(t *testing.T, b *lab.Box, mode string, split bool) {
	t.Helper()
	bounce := eximLetter("bounce", "198.51.100.5", "")
	bounce.HeaderFrom = "mailer-daemon@pass.example"
	alias := eximLetter("alias", "198.51.100.5", "carl@pass.example")
	alias.To = "info@lab.example"
	all := []lab.Letter{
		eximLetter("plain", "198.51.100.5", "carl@pass.example"),
		eximLetter("forwarded", "198.51.100.77", "carl@pass.example"), // --allow
		eximLetter("rewritten", "198.51.100.30", "list@lists.example"),
		eximLetter("friend", "198.51.100.44", "carl@pass.example"),      // --allow, by its name
		eximLetter("ally", "198.51.100.66", "dora@ally.example"),        // --allow, by its sender
		eximLetter("own", b.Addr, "carl@pass.example"),                  // this machine
		eximLetter("relayed", "10.20.30.7", "carl@pass.example"),        // dc_relay_nets
		eximLetter("unknown", "198.51.100.66", "x@none.example"),        // no SPF record
		eximLetter("permerror", "198.51.100.66", "erin@broken.example"), // a broken one
		bounce, alias,
	}
	if split {
		roaming := eximLetter("roaming", "198.51.100.9", "carl@pass.example")
		roaming.User, roaming.Password = "ann", "secret"
		all = append(all, roaming)
	}
	for i := range all {
		all[i].Subject += "-" + mode
		eximTakes(t, b, all[i])
	}
	for _, m := range all {
		arrived(t, b, m.Subject)
	}
	for _, to := range []string{"postmaster@lab.example", "abuse@lab.example"} { // who can mend it
		m := eximLetter("complaint-"+mode, "198.51.100.99", "carl@pass.example")
		m.To = to
		eximTakes(t, b, m)
	}
}

// eximInTrouble: while DNS is silent nothing is refused for good, nor by a list that refuses
// to answer.
func eximInTrouble(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "systemctl stop named")
	for _, client := range []string{"198.51.100.66", "198.51.100.5", "198.51.100.99"} {
		if said, taken := b.Send(t, eximLetter("silent", client, "carl@pass.example")); !taken && strings.HasPrefix(said, "5") {
			t.Errorf("without DNS, %s is refused: %s", client, said)
		}
	}
	b.Sh(t, `systemctl start named; printf '* A 127.255.255.254\n' >>/etc/bind/db.bl.example; rndc reload bl.example; rndc flush`)
	becomes(t, b, "dig +short x.bl.example | grep -q 254")
	eximTakes(t, b, eximLetter("unanswered", "198.51.100.5", "carl@pass.example"))
	b.Sh(t, `sed -i '$d' /etc/bind/db.bl.example; rndc reload bl.example; rndc flush`)
}

// eximEdited: what somebody edited stays as it is, and check tells of checks that are left out.
func eximEdited(t *testing.T, b *lab.Box) {
	t.Helper()
	const file = "/etc/exim4/mailsetup.rcpt"
	text := b.Read(t, file)
	b.Sh(t, "echo '# mine' >>"+file)
	_, said := product(t, b, 1, "inbound", "--yes", "--spf", "mark")
	says(t, said, file+": edited since mailsetup wrote it")
	if now := b.Read(t, file); now != text+"# mine\n" {
		t.Errorf("%s is now\n%s", file, now)
	}
	b.Write(t, file, text, 0o644)

	b.Sh(t, "sed -i.was /CHECK_RCPT_LOCAL_ACL_FILE/d /var/lib/exim4/config.autogenerated")
	found, _ := check(t, b, "--only", "in.service")
	if w := wrong(found, finding.Problem); !strings.Contains(w, "/etc/exim4/mailsetup.rcpt") {
		t.Errorf("a configuration without the checks: %s", w)
	}
	b.Sh(t, "mv /var/lib/exim4/config.autogenerated.was /var/lib/exim4/config.autogenerated")
}
