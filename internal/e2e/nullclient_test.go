//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestNullClient: a machine that takes no mail from others and hands all of its
// own to a relay signs it nevertheless. Later, with a submission service that
// asks OpenDKIM where it listens by hand, it is a server of another kind.
func TestNullClient(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		master := b.Read(t, "/etc/postfix/master.cf")
		b.Sh(t, `postconf -e inet_interfaces=loopback-only 'relayhost=[192.0.2.25]' mydestination= 'local_transport=error:no local mail'
postconf -M# smtp/inet
systemctl restart postfix`)
		was := look(t, b)
		out, _ := product(t, b, 0, initArgs("--receive", "no")...)
		folded := strings.Join(strings.Fields(out), " ")
		says(t, folded, "mail of @lab.example, when it comes from this machine", "mail leaves through [192.0.2.25]; the SPF record of lab.example", "--spf-include")
		says(t, folded, "Mail of this server leaves signed. Messages by sendmail went through Postfix (smtp, relay)", "Not tried by port 25: Postfix does not listen there.")
		saysNot(t, folded, "when it comes from this machine,", "when it comes from this machine and", "Left for you: * signed")
		cron := func() {
			before := sink.Count()
			b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: cron\n\nhello\n' | /usr/sbin/sendmail -t -i`)
			signed(t, b, sink.Wait(t, before+1, time.Minute)[before].Data)
		}
		cron()
		b.Reboot(t)
		cron()
		noProblem(t, b)
		nothingChanges(t, b, initArgs()...)
		again, _ := product(t, b, 0, initArgs()...)
		saysNot(t, again, "when it comes from this machine")
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))

		b.Write(t, "/etc/postfix/master.cf", master, 0o644)
		b.Sh(t, "postconf -e inet_interfaces=all; systemctl restart postfix")
		sendOnly(t, b, sink)

		b.Write(t, "/etc/postfix/master.cf", master+"submission inet n - y - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:8891\n", 0o644)
		b.Write(t, "/etc/opendkim.conf", handMadeSigner, 0o640)
		b.Sh(t, "postconf -e inet_interfaces=all; systemctl restart opendkim postfix")
		listens(t, b, "8891", "587")
		endpointMoves(t, b, sink)
	})
}

// sendOnly: a server that listened to everybody listens to itself alone. Root's mail, and so
// that of cron, leaves signed for whoever reads it; a rollback gives back what was.
func sendOnly(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	_, said := product(t, b, 2, exampleArgs("--yes", "--send-only")...)
	says(t, said, "--root-alias")
	const outside = `ss -tlnH 'sport = 25' | awk '{ print $4 }' | grep -v '^127\.0\.0\.1:\|^\[::1\]:' || true`
	before := b.Sh(t, outside)
	if before == "" {
		t.Fatal("it listens to nobody as it is")
	}
	out, _ := product(t, b, 0, exampleArgs("--yes", "--send-only", "--root-alias", "bob@remote.example")...)
	says(t, strings.Join(strings.Fields(out), " "), "nothing is accepted from outside: this server only sends")
	saysNot(t, out, " MX ")
	if now := b.Sh(t, outside); now != "" {
		t.Errorf("it listens on\n%s", now)
	}
	n := sink.Count()
	b.Sh(t, "printf 'Subject: cron\n\nhello\n' | /usr/sbin/sendmail -i root")
	signed(t, b, sink.Wait(t, n+1, time.Minute)[n].Data)
	nothingChanges(t, b, exampleArgs("--yes", "--send-only")...)
	product(t, b, 0, "rollback", "--yes")
	if now := b.Sh(t, outside); now != before {
		t.Errorf("after the rollback it listens on\n%s\nbefore on\n%s", now, before)
	}
}

// endpointMoves: a service's own entry for OpenDKIM goes where OpenDKIM goes.
// There is no leaving it: Postfix would refuse mail when nobody answers.
func endpointMoves(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	was, master := look(t, b), b.Read(t, "/etc/postfix/master.cf")
	_, said := product(t, b, 2, initArgs("--receive", "no", "--overwrite-drift", "--service-milters", "keep")...)
	says(t, said, "submission/inet", "inet:127.0.0.1:8891, where it will no longer listen")
	asBefore(t, b, was)
	product(t, b, 0, initArgs("--receive", "no", "--overwrite-drift", "--service-milters", "merge")...)
	if got, want := b.Read(t, "/etc/postfix/master.cf"), strings.Replace(master, "inet:127.0.0.1:8891", ourMilter, 1); got != want {
		t.Errorf("master.cf ends in\n%s", got[len(master)-200:])
	}
	submission := lab.Letter{Server: b.Addr + ":587"}
	signed(t, b, by(t, b, sink, submission))
	product(t, b, 0, "rollback", "--yes")
	unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
	if msg := by(t, b, sink, submission); len(lab.VerifyDKIM(t, b, msg)) != 0 {
		t.Errorf("signed after the rollback:\n%s", msg)
	}
}
