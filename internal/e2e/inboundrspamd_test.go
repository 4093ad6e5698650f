//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// rspamdAtDoor puts rspamd in front of the signer, as its documentation has it. Its scores
// decide nothing, so that what is refused is refused by what is asked for.
const rspamdAtDoor = `systemctl unmask rspamd 2>/dev/null
printf 'example\ncom\n' >/etc/rspamd/tld.dat
for m in fuzzy_check phishing whitelist mime_types asn; do echo 'enabled = false;' >/etc/rspamd/local.d/$m.conf; done
printf 'reject = 999;\nadd_header = 998;\ngreylist = 997;\n' >/etc/rspamd/local.d/actions.conf
systemctl start rspamd
postconf -e "smtpd_milters = inet:127.0.0.1:11332, $(postconf -h smtpd_milters)"
postfix reload`

// TestInboundRspamd: where rspamd stands at the door, it does what is asked for, in files of
// ours: forged mail is marked, filed or refused, honest mail of ten kinds arrives, a key
// that cannot be looked up refuses none, and off gives back the bytes. What its own checker
// does not accept never gets there.
func TestInboundRspamd(t *testing.T) { atRspamd(t, false) }

// TestSoakInboundRspamd tries the mode in the middle on each release, too.
func TestSoakInboundRspamd(t *testing.T) { atRspamd(t, true) }

func atRspamd(t *testing.T, all bool) {
	each(t, func(t *testing.T, release string) {
		b := receiver(t, release)
		b.Sh(t, "systemctl mask rspamd 2>/dev/null") // until it is configured
		b.Apt(t, "rspamd")
		b.Write(t, "/etc/rspamd/local.d/worker-proxy.inc", rspamdProxy, 0o644)
		b.Write(t, "/etc/rspamd/local.d/options.inc", rspamdQuick, 0o644)
		b.Sh(t, rspamdAtDoor)
		listens(t, b, "11332")
		files := func() map[string]string { return b.Snapshot(t, "/etc/rspamd", "/etc/postfix") }
		before := files()

		b.Write(t, "/etc/rspamd/local.d/groups.conf", "group \"x\" {\n", 0o644)
		_, said := product(t, b, 1, "inbound", "--spf", "mark", "--yes")
		says(t, said, "check rspamadm configtest: exit status 1", "/etc/rspamd/local.d/groups.conf:", "unmatched open brace")
		b.Sh(t, "rm /etc/rspamd/local.d/groups.conf")
		same(t, before, files())

		mail := honest(t, b)
		bounce := &mail[4]
		bounce.Helo = "pass.example" // whose SPF record says that it may
		for i, mode := range []string{"mark", "quarantine", "reject"} {
			if i == 1 && !all && !lab.TakesTurn(i, release) {
				continue
			}
			args := map[string][]string{
				"mark":       {"--spf", "mark", "--dmarc", "mark"},
				"quarantine": {"--dmarc", "quarantine"},
				"reject":     {"--spf", "reject", "--dmarc", "reject", "--dnsbl", "bl.example", "--allow", "198.51.100.77"},
			}[mode]
			stdout, _ := product(t, b, 0, append([]string{"inbound", "--yes"}, args...)...)
			says(t, stdout, "rspamd judges incoming mail here, so it is told what to do")
			for _, m := range mail {
				if said, taken := b.Send(t, numbered(m, mode)); !taken {
					t.Errorf("%s: %s is refused: %s", mode, m.Subject, said)
				}
			}
			for _, m := range mail {
				arrived(t, b, numbered(m, mode).Subject)
			}
			judgedByRspamd(t, b, mode)
		}

		// A key that cannot be looked up for the moment: mail with it is marked so, and taken.
		b.Sh(t, `echo 'zone "_domainkey.signed.example" { type secondary; primaries { 127.0.0.9; }; file "/var/cache/bind/none"; };' >>/etc/bind/named.conf.local
rndc reconfig; rndc flush`)
		product(t, b, 0, "inbound", "--yes", "--allow", "@signed.example") // with nothing remembered
		if said, taken := b.Send(t, numbered(mail[3], "later")); !taken {
			t.Errorf("mail whose key cannot be looked up is refused: %s", said)
		}
		says(t, arrived(t, b, "kept-later"), "dkim=temperror", "dmarc=temperror")
		// Who is let past, is.
		if said, taken := b.Send(t, lab.Letter{Subject: "let-past", Client: "198.51.100.66", From: "dora@signed.example", To: "ann@lab.example", Helo: "x.example", Body: "hello"}); !taken {
			t.Errorf("a sender that is let past is refused: %s", said)
		}

		found, _ := check(t, b, "--only", "in")
		if len(found) == 0 || wrong(found, finding.Problem, finding.Warning, finding.Unknown) != "" {
			t.Errorf("%d findings\n%s", len(found), wrong(found, finding.Problem, finding.Warning, finding.Unknown))
		}
		b.Sh(t, "systemctl stop rspamd; echo '# mine' >>/etc/rspamd/local.d/force_actions.conf")
		stdout, _ := product(t, b, 3, "check", "--only", "in")
		says(t, stdout, "rspamd: it does not run: all mail is put off", "rspamd: not what host.toml asks for:")
		b.Sh(t, "sed -i '$d' /etc/rspamd/local.d/force_actions.conf; systemctl start rspamd")
		listens(t, b, "11332")

		product(t, b, 0, "inbound", "--yes", "--spf", "off", "--dmarc", "off", "--dnsbl", "none", "--disallow", "198.51.100.77", "--disallow", "@signed.example")
		same(t, before, files())
		if packages := b.Sh(t, "dpkg-query -W -f '${Package}\n' | grep -E '^(opendmarc|postfix-policyd-spf-python)$' || true"); packages != "" {
			t.Errorf("put beside rspamd: %s", packages)
		}
	})
}

// judgedByRspamd sends mail with a sender of others, by a client that its domain forbids, by
// one that is its own, and by one on a block list.
func judgedByRspamd(t *testing.T, b *lab.Box, mode string) {
	t.Helper()
	spf := lab.Letter{Subject: "spf-" + mode, Client: "198.51.100.66", From: "carl@pass.example", HeaderFrom: "carl@pass.example", To: "ann@lab.example", Helo: "x.example", Body: "hello"}
	dmarc := spf
	dmarc.Subject, dmarc.Client, dmarc.From = "dmarc-"+mode, "198.51.100.30", "list@lists.example"
	listed := spf
	listed.Subject, listed.Client, listed.From, listed.HeaderFrom = "listed-"+mode, "198.51.100.99", "x@none.example", "x@none.example"
	refusals := []string{"SPF: the domain of the sender forbids this server", "DMARC: the domain in From wants this refused", "Service unavailable; client blocked using bl.example"}
	for i, m := range []lab.Letter{spf, dmarc, listed} {
		said, taken := b.Send(t, m)
		switch {
		case mode == "reject":
			if taken || !strings.HasPrefix(said, "554 5.7.1 "+refusals[i]) {
				t.Errorf("%s: taken %v, %s", m.Subject, taken, said)
			}
			continue
		case !taken:
			t.Errorf("%s is refused: %s", m.Subject, said)
			continue
		case i == 2:
			continue
		}
		header := arrived(t, b, m.Subject)
		says(t, header, "Authentication-Results: mail.lab.example;", "dmarc=fail", []string{"spf=fail", "spf=pass"}[i])
		if filed := strings.Contains(header, "\nX-Spam: Yes"); filed != (mode == "quarantine") {
			t.Errorf("%s: filed %v\n%s", m.Subject, filed, header)
		}
	}
}
