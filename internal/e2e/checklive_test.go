//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

const userServices = `
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
smtps inet n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
`

// TestCheckMessages: mailsetup check follows messages by the ways of users, through a
// content filter and by a bounce; none of them leaves, reaches a person or stays, whatever
// happens to it. One leaves only for the address that is named.
func TestCheckMessages(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		certificate := b.Certificate(t)
		b.SASLUser(t, "ann", "two words")
		b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+userServices, 0o644)
		b.Sh(t, "postconf -e smtpd_tls_cert_file="+certificate+" smtpd_tls_key_file="+certificate+"; postfix reload; printf 'ann\ntwo words\n' >/root/login; chmod 600 /root/login")
		becomes(t, b, "ss -tlnH | grep -q ':465 '")
		const by = "signed once by 202"

		saw(t, b, nil, "live.signed.submission", finding.OK, "the signer signs what it is told of a user who logged in; no message was sent")
		ways := saw(t, b, []string{"--login", "/root/login"}, "live.signed.submission", finding.OK, by)
		if len(ways) != 2 || !strings.HasPrefix(ways[0].Subject, "submission, ") && !strings.HasPrefix(ways[1].Subject, "submission, ") {
			t.Errorf("not both ways: %+v", ways)
		}
		b.Sh(t, "printf 'ann\nwrong\n' >/root/login; postconf -P submission/inet/smtpd_sasl_auth_enable=no; postfix reload")
		refused := live(t, b, "--login", "/root/login")
		sees(t, refused, "live.signed.submission", finding.Unknown, "it does not take user and password: 535 5.7.8")
		sees(t, refused, "live.signed.submission", finding.Unknown, "nobody can log in there: neither AUTH PLAIN nor AUTH LOGIN is offered")
		b.Sh(t, "postconf -P submission/inet/smtpd_sasl_auth_enable=yes; postfix reload")
		b.Run(t, "chmod", "644", "/root/login")
		_, said := product(t, b, 2, "check", "--only", "live", "--login", "/root/login")
		says(t, said, "--login /root/login: root:root, mode 0644: others could read the password", "hint: a file of its own, made by install -m 600 /dev/null FILE")
		b.Sh(t, "postconf -P submission/inet/smtpd_milters=; postfix reload")
		saw(t, b, nil, "live.milters", finding.Problem, "smtpd_milters =: mail that comes in there leaves unsigned")
		b.Sh(t, "postconf -PX submission/inet/smtpd_milters; postfix reload")

		// A killed check leaves nothing for long.
		b.Sh(t, `postconf -e defer_transports=smtp,relay; postfix reload
mailsetup check --only live >/dev/null 2>&1 & pid=$!
for i in $(seq 1200); do [ "$(postqueue -j | grep -c '@\[127.83.77.1\]')" -ge 2 ] && break; sleep .05; done
kill -KILL $pid; wait $pid || :`)
		if !strings.Contains(b.Run(t, "postqueue", "-j"), "127.83.77.1") {
			t.Error("the check was not killed in time")
		}
		isClean := func() {
			t.Helper()
			if queue := b.Run(t, "postqueue", "-j"); strings.Contains(queue, "127.83.77.1") {
				t.Errorf("left in the queue:\n%s", queue)
			}
			b.Sh(t, "! test -e /var/lib/mailsetup/probing")
		}
		b.Run(t, "mailsetup", "check", "--only", "smtp") // which sends nothing
		isClean()
		b.Sh(t, "postconf -# defer_transports; postfix reload")
		whole := live(t, b)
		sees(t, whole, "live.signed.sendmail", finding.OK, by)
		sees(t, whole, "live.signed.bounce", finding.OK, by)
		isClean()

		// What an alias passes on keeps its signature.
		b.Sh(t, `echo 'far: bob@remote.example' >>/etc/aliases; newaliases`)
		before := sink.Count()
		b.Sh(t, `printf 'From: root@mail.lab.example\nTo: far\nSubject: by an alias\n\nhello\n' | sendmail -i far`)
		signed(t, b, sink.Wait(t, before+1, 90*time.Second)[before].Data)
		saw(t, b, nil, "live.signed.alias", finding.OK, "aliases that lead to other hosts: 1;")

		b.Write(t, "/etc/postfix/virtual", "info@shop.example bob@remote.example\n", 0o644)
		b.Run(t, "postmap", "hash:/etc/postfix/virtual")
		b.ContentFilter(t, "127.0.0.1:10024", "127.0.0.1:10025")
		b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+filterMain, 0o644)
		b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+filterMaster+backMaster+backOverrides+"\n    -o smtpd_milters=\n", 0o644)
		b.Run(t, "postfix", "reload")
		behind := live(t, b)
		sees(t, behind, "live.signed.reinject", finding.OK, "messages come back from it signed once")
		sees(t, behind, "live.signed.smtp", finding.OK, by)
		b.Sh(t, "sed -i 's/-o smtpd_milters=$/-o smtpd_milters=unix:opendkim\\/opendkim.sock/' /etc/postfix/master.cf; postfix reload")
		saw(t, b, nil, "live.signed.reinject", finding.Warning, "it arrives with 2 signatures of lab.example")
		b.Sh(t, "sed -i 's/-o smtpd_milters=unix.*/-o smtpd_milters=/' /etc/postfix/master.cf; postconf -P smtp/inet/smtpd_milters=; postfix reload")
		if found := live(t, b); slices.ContainsFunc(found, func(f finding.Finding) bool { return f.ID == "live.signed.reinject" }) {
			t.Errorf("mail by port 25 is not signed, and the filter hands it back as it should:\n%s", wrong(found, finding.Severities()...))
		}
		b.Sh(t, "postconf -PX smtp/inet/smtpd_milters; postfix reload")

		if n := sink.Count(); n != before+1 {
			t.Errorf("%d messages left the machine: %s", n-before-1, sink.Messages(t)[n-1].Data)
		}
		if mail := b.Sh(t, "cat /var/mail/* 2>/dev/null || true"); mail != "" {
			t.Errorf("somebody got mail:\n%s", mail)
		}
		// Behind the filter, whose answer is not that of the other server.
		left := saw(t, b, []string{"--send-to", "bob@remote.example"}, "live.signed.sendmail", finding.OK, "["+lab.SinkAddr+"]:25 took it: 250")
		if len(left) == 1 && !strings.Contains(left[0].Seen, "; the key 202") {
			t.Errorf("it does not say what signs it: %s", left[0].Seen)
		}
		signed(t, b, sink.Wait(t, before+2, 90*time.Second)[before+1].Data)
		for _, own := range []string{"root@lab.example", "info@shop.example"} {
			_, said := product(t, b, 2, "check", "--send-to", own)
			says(t, said, "is for this server itself (", "hint: name an address at a provider")
		}
	})
}

// live returns what a check of the live path finds.
func live(t *testing.T, b *lab.Box, args ...string) []finding.Finding {
	t.Helper()
	found, _ := check(t, b, append([]string{"--only", "live"}, args...)...)
	return found
}

// saw insists that a check of the live path has findings of an ID, a severity and words,
// and returns them.
func saw(t *testing.T, b *lab.Box, args []string, id string, severity finding.Severity, words string) []finding.Finding {
	t.Helper()
	return sees(t, live(t, b, args...), id, severity, words)
}

// sees insists that there are findings of an ID, a severity and words, and returns them.
func sees(t *testing.T, found []finding.Finding, id string, severity finding.Severity, words string) []finding.Finding {
	t.Helper()
	all := slices.DeleteFunc(slices.Clone(found), func(f finding.Finding) bool {
		return f.ID != id || f.Severity != severity || !strings.Contains(f.Seen, words)
	})
	if len(all) == 0 {
		t.Errorf("no %s %s with %q:\n%s", severity, id, words, wrong(found, finding.Severities()...))
	}
	return all
}
