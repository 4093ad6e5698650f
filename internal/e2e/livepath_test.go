//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestAfterSigning: what Postfix changes after the milters is named while planning,
// and a message that went all the way decides what is said in the end. None of
// those messages leaves the machine, reaches a person or stays in the queue.
func TestAfterSigning(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Write(t, "/etc/postfix/transport", "slow.example slow:\n", 0o644)
		b.Write(t, "/etc/postfix/generic", "root@mail.lab.example admin@lab.example\n", 0o644)
		b.Write(t, "/etc/postfix/marks", "/^Received:/ IGNORE\n/^Subject: (.*)/ REPLACE Subject: [lab] $1\n", 0o644)
		b.Write(t, "/etc/postfix/words", "/^This/ REPLACE That\n", 0o644)
		b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+"slow unix - - y - 1 smtp\n  -o smtp_destination_concurrency_limit=1\n", 0o644)
		b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+
			"transport_maps = texthash:/etc/postfix/transport\nsmtp_generic_maps =\n  texthash:/etc/postfix/generic\n", 0o644)
		b.Sh(t, "postconf -e 'relayhost = [192.0.2.25]'; postfix reload; id -u ann || useradd -m ann")
		main, master := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")
		line := lineOf(main, "smtp_generic_maps")
		generic := "/etc/postfix/main.cf:" + line + ": smtp_generic_maps = texthash:/etc/postfix/generic: it makes admin@lab.example of root@mail.lab.example."

		out, _ := product(t, b, 0, initArgs("--dry-run")...)
		says(t, oneLine(out), generic, "sender_canonical_maps")
		out, said := product(t, b, 3, initArgs()...)
		says(t, oneLine(said), "all of this stays, but mail does not leave signed: a message from root@mail.lab.example, by sendmail and Postfix's smtp, arrived, but its signature does not verify",
			"changed: From", "hint: "+generic)
		saysNot(t, out+said, "leaves signed;", "leaves signed.")
		ours := b.Read(t, "/etc/postfix/main.cf")
		route := "inline:{[127.83.77.1]=smtp:[127.83.77.1]:24, relay@[127.83.77.1]=relay:[127.83.77.1]:24, slow@[127.83.77.1]=slow:[127.83.77.1]:24}"
		if got := strings.TrimSpace(b.Run(t, "postconf", "-h", "transport_maps")); got != route+", texthash:/etc/postfix/transport" {
			t.Errorf("transport_maps = %s", got)
		}

		b.Sh(t, "postconf -# smtp_generic_maps; postconf -e smtp_header_checks=regexp:/etc/postfix/marks; postfix reload")
		_, said = product(t, b, 1, initArgs()...)
		says(t, oneLine(said), "mail does not leave signed", "changed: Subject", "smtp_header_checks = regexp:/etc/postfix/marks: /etc/postfix/marks:2: /^Subject: (.*)/ REPLACE")
		b.Sh(t, "postconf -# smtp_header_checks; postconf -P slow/unix/smtp_body_checks=regexp:/etc/postfix/words; postfix reload")
		_, said = product(t, b, 1, initArgs()...)
		says(t, oneLine(said), "by sendmail and Postfix's slow", "body hash did not verify", "changed: the body",
			"/etc/postfix/master.cf:"+lineOf(b.Read(t, "/etc/postfix/master.cf"), "smtp_body_checks")+": slow/unix sets smtp_body_checks=regexp:/etc/postfix/words")
		b.Sh(t, "postconf -PX slow/unix/smtp_body_checks; postconf -e smtp_discard_ehlo_keywords=8bitmime; postfix reload")
		_, said = product(t, b, 1, initArgs()...)
		says(t, oneLine(said), "(of a message with 8-bit text)", "changed: Content-Transfer-Encoding, the body")

		// Before signing the same does no harm.
		b.Sh(t, `postconf -# smtp_discard_ehlo_keywords; postconf -e sender_canonical_maps=texthash:/etc/postfix/generic header_checks=regexp:/etc/postfix/marks; postfix reload`)
		out, _ = product(t, b, 0, initArgs()...)
		says(t, oneLine(out), "Nothing to do", "Messages by sendmail and by port 25 went through Postfix (smtp, relay, slow) to a server of ours on this machine, and their signatures hold there.")
		notSentWhere(t, b)
		killedProbe(t, b)
		if n := sink.Count(); n != 0 {
			t.Errorf("%d messages left the machine: %s", n, sink.Messages(t)[0].Data)
		}
		if mail := b.Sh(t, "cat /var/mail/* 2>/dev/null || true"); mail != "" {
			t.Errorf("somebody got mail:\n%s", mail)
		}
		b.Sh(t, "postconf -# sender_canonical_maps header_checks smtp_header_checks; postfix reload")
		leavesSigned(t, b, sink)
		// What was edited since goes back first, or the rollback would refuse.
		b.Write(t, "/etc/postfix/main.cf", ours, 0o644)
		b.Write(t, "/etc/postfix/master.cf", master, 0o644)
		b.Run(t, "postfix", "reload")
		product(t, b, 0, "rollback", "--yes")
		if got := b.Read(t, "/etc/postfix/main.cf"); got != main {
			t.Errorf("main.cf after the rollback:\n%s", got)
		}
	})
}

// oneLine is a text without its line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// notSentWhere: where a message would get to people or to other machines none is
// sent, and it is said why.
func notSentWhere(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, tt := range []struct{ set, why string }{
		{"always_bcc=ann@lab.example", "always_bcc = ann@lab.example"},
		{"smtp_fallback_relay=[192.0.2.25]", "smtp_fallback_relay = [192.0.2.25]"},
		{"recipient_canonical_maps=regexp:{{/@.127.83/ ann@lab.example}}", "recipient_canonical_maps would send it to ann@lab.example"},
		{"body_checks=static:{BCC ann@lab.example}", "body_checks would not let it go its way (BCC ann@lab.example)"},
		{"sender_bcc_maps=static:ann@lab.example", "sender_bcc_maps would send it to ann@lab.example"},
	} {
		name, _, _ := strings.Cut(tt.set, "=")
		b.Sh(t, "postconf -e '"+tt.set+"'")
		out, _ := product(t, b, 0, initArgs()...)
		b.Run(t, "postconf", "-#", name)
		says(t, oneLine(out), "The signer was asked, and signs mail of this server. What Postfix does with it after that is not known: ", tt.why)
	}
}

// killedProbe: the next run takes the messages of a probe that was killed out of
// the queue, and nothing else.
func killedProbe(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `postconf -e defer_transports=smtp,relay,slow; postfix reload
printf 'Subject: late\n\nlate\n' | sendmail -f ann@lab.example bob@remote.example
mailsetup `+strings.Join(initArgs(), " ")+` >/dev/null 2>&1 & pid=$!
for i in $(seq 1200); do [ "$(postqueue -j | grep -c '@\[127.83.77.1\]')" -ge 2 ] && break; sleep .05; done
kill -KILL $pid`)
	queue := b.Run(t, "postqueue", "-j")
	if n := strings.Count(queue, `"sender": "mailsetup-`); n < 2 {
		t.Errorf("the probe was not killed in time:\n%s", queue)
	}
	out, _ := product(t, b, 0, initArgs()...)
	says(t, oneLine(out), "The signer was asked, and signs mail of this server.", "deferred transport")
	queue = b.Run(t, "postqueue", "-j")
	if strings.Contains(queue, "127.83.77.1") || strings.Count(queue, "\n") != 1 || !strings.Contains(queue, "bob@remote.example") {
		t.Errorf("left in the queue:\n%s", queue)
	}
	b.Sh(t, "postsuper -d ALL; postconf -# defer_transports; postfix reload; ! test -e /var/lib/mailsetup/probing")
}

// ended waits until a unit neither runs nor is being stopped.
func ended(t *testing.T, b *lab.Box, unit string) {
	t.Helper()
	becomes(t, b, "! systemctl is-active "+unit+" | grep -qx -e active -e deactivating")
}

// probesSent counts the messages to ourselves that have left the queue. What
// Postfix says comes to the journal some time after that.
func probesSent(t *testing.T, b *lab.Box) string {
	t.Helper()
	becomes(t, b, `[ -z "$(postqueue -j)" ]`)
	return b.Sh(t, "journalctl --sync; journalctl -q -o cat | grep -c '<smtp@.127.83.77.1.>.*status=sent' || true")
}

// TestUnitsOfTheHost: nothing to do is not said of a server whose daemons are down or
// would not start at boot. What failed is started and what is disabled enabled;
// what somebody has stopped or masked is theirs.
func TestUnitsOfTheHost(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, _ := signing(t, release)
		was := look(t, b)
		postfix := strings.TrimSpace(b.Sh(t, `[ "$(systemctl show -P Type postfix)" = oneshot ] && echo postfix@-.service || echo postfix.service`))

		for _, unit := range []string{"postfix.service", "opendkim.service"} {
			b.Run(t, "systemctl", "stop", unit)
			if unit == "postfix.service" {
				ended(t, b, postfix) // on Debian 12 the instance ends after it
			}
			_, said := product(t, b, 1, initArgs()...)
			says(t, said, unit+" was stopped", "hint: systemctl start "+unit)
			product(t, b, 1, initArgs("--dry-run")...)
			b.Run(t, "systemctl", "start", unit)
			b.Run(t, "systemctl", "-q", "mask", unit)
			_, said = product(t, b, 1, initArgs()...)
			says(t, said, unit+" is masked", "hint: systemctl unmask "+unit+" && systemctl start "+unit)
			b.Run(t, "systemctl", "-q", "unmask", unit)
		}
		product(t, b, 0, initArgs()...)
		unchanged(t, was, look(t, b))

		b.Sh(t, "systemctl -q disable opendkim named postfix")
		out, _ := product(t, b, 0, initArgs("--dry-run")...)
		says(t, oneLine(out), "> enable named.service", "> enable opendkim.service it is disabled: after a reboot no mail gets through", "> enable postfix.service")
		enabled := func() string {
			return oneLine(b.Sh(t, "systemctl is-enabled named opendkim postfix || true"))
		}
		product(t, b, 0, initArgs()...)
		if got := enabled(); got != "enabled enabled enabled" {
			t.Errorf("after the run: %s", got)
		}
		unchanged(t, was, look(t, b))
		product(t, b, 0, "rollback", "--yes")
		if got := enabled(); got != "disabled disabled disabled" {
			t.Errorf("after the rollback: %s", got)
		}
		product(t, b, 0, initArgs()...)

		b.Run(t, "systemctl", "kill", "-s", "KILL", postfix)
		ended(t, b, postfix)
		out, _ = product(t, b, 0, initArgs()...)
		says(t, oneLine(out), "> start "+postfix+" it is down", "Mail of this server leaves signed. Messages by sendmail and by port 25")
		nothingChanges(t, b, initArgs()...)
		// A tick that has nothing to do sends nothing.
		before := probesSent(t, b)
		b.Run(t, "mailsetup", "rotate-dkim", "--yes")
		if after := probesSent(t, b); after != before || before == "0\n" {
			t.Errorf("messages sent before a tick: %safter it: %s", before, after)
		}
	})
}
