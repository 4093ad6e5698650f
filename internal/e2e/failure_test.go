//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

const distaste = "this configuration is not to my taste"

// unless is a command for a drop-in: it fails once the file has the text.
func unless(text, file, then string) string {
	return `/bin/sh -c 'if grep -q "` + text + `" ` + file + `; then echo ` + distaste + `; exit 1; fi; ` + then + `'`
}

// postfixUnit is the unit that systemd really drives.
func postfixUnit(release string) string {
	if release == "bookworm" {
		return "postfix@-.service"
	}
	return "postfix.service"
}

// TestRefusals: a daemon that does not take what is new, or Ctrl-C, costs nothing
// but the attempt. Each leaves the server as it was, so that one serves for all.
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		for i, refuses := range []struct {
			name string
			test func(t *testing.T, b *lab.Box, sink *lab.Sink, release string)
		}{
			{"interrupted", interruptedAnywhere},
			{"OpenDKIM refuses", openDKIMRefuses},
			{"Postfix refuses", postfixRefuses},
			{"Postfix goes deaf", postfixGoesDeaf},
			{"Postfix is dead already", postfixIsDead},
			{"BIND refuses", bindRefuses},
			{"OpenDKIM never starts", openDKIMNeverStarts},
		} {
			if !lab.TakesTurn(i, release) {
				continue
			}
			if !t.Run(refuses.name, func(t *testing.T) { refuses.test(t, b, sink, release) }) {
				return
			}
		}
	})
}

// openDKIMRefuses: a signer that does not start with our configuration
// costs nothing but the attempt.
func openDKIMRefuses(t *testing.T, b *lab.Box, sink *lab.Sink, _ string) {
	t.Helper()
	dropIn(t, b, "opendkim.service", "ExecStartPre="+unless("^KeyTable", "/etc/opendkim.conf", ""))
	was := look(t, b)
	_, stderr := product(t, b, 1, initArgs()...)
	says(t, stderr, "opendkim.service", distaste, "everything was put back as it was")
	asBefore(t, b, was)
	notServed(t, b)
	leavesUnsigned(t, b, sink)
	undrop(t, b, "opendkim.service")
}

// openDKIMNeverStarts: where even the old configuration cannot run again,
// nobody claims that it does, and recover finishes the job later.
func openDKIMNeverStarts(t *testing.T, b *lab.Box, sink *lab.Sink, _ string) {
	t.Helper()
	was := look(t, b)
	dropIn(t, b, "opendkim.service", "ExecStartPre=/bin/false")
	for _, args := range [][]string{initArgs(), {"recover"}} {
		_, stderr := product(t, b, 4, args...)
		says(t, stderr, "not everything could be put back", "opendkim.service",
			"systemctl restart opendkim.service", "mailsetup recover")
		saysNot(t, stderr, "everything was put back as it was", "taken back")
		leavesUnsigned(t, b, sink)
	}
	undrop(t, b, "opendkim.service")
	product(t, b, 0, "recover")
	asBefore(t, b, was)
	notServed(t, b)
	leavesUnsigned(t, b, sink)
	product(t, b, 0, initArgs()...)
	leavesSigned(t, b, sink)
}

// postfixRefuses: a Postfix that does not reload, and one that goes down at
// the reload.
func postfixRefuses(t *testing.T, b *lab.Box, sink *lab.Sink, release string) {
	t.Helper()
	unit := postfixUnit(release)
	was := look(t, b)
	reload := unless("opendkim", "/etc/postfix/main.cf", "postfix reload")
	for _, does := range []string{reload, strings.Replace(reload, "exit 1", "postfix stop; exit 0", 1)} {
		dropIn(t, b, unit, "ExecReload=\nExecReload="+does)
		_, stderr := product(t, b, 1, initArgs()...)
		says(t, stderr, unit, distaste, "everything was put back as it was")
		asBefore(t, b, was)
		notServed(t, b)
		leavesUnsigned(t, b, sink)
	}
	undrop(t, b, unit)
}

// postfixGoesDeaf: the reload succeeds, but nobody answers on port 25. The
// job result is "done"; only asking finds out.
func postfixGoesDeaf(t *testing.T, b *lab.Box, sink *lab.Sink, _ string) {
	t.Helper()
	deaf(t, b)
	was := look(t, b)
	_, stderr := product(t, b, 1, initArgs()...)
	says(t, stderr, "smtp 127.0.0.1:25", "bad command startup", "everything was put back as it was")
	asBefore(t, b, was)
	notServed(t, b)
	leavesUnsigned(t, b, sink) // once Postfix gives smtpd another chance, a minute later
	b.Sh(t, "mv /usr/lib/postfix/sbin/smtpd.real /usr/lib/postfix/sbin/smtpd; postfix reload")
}

// postfixIsDead: nobody answers on port 25 before anything is changed, or Postfix would
// not check its files. That is said at once, and once it is mended, that a restart is due.
func postfixIsDead(t *testing.T, b *lab.Box, sink *lab.Sink, release string) {
	t.Helper()
	main := b.Read(t, "/etc/postfix/main.cf")
	for _, c := range []struct{ act, set, says string }{
		{"restart", "smtpd_sasl_auth_enable=yes smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth", "Postfix does not answer on port 25 already now: fatal: no SASL authentication mechanisms"},
		{"reload", "html_directory=null", "Postfix is not in order already now: check postfix check: exit status 1: "},
	} {
		b.Sh(t, "postconf -e "+c.set+"; systemctl "+c.act+" "+postfixUnit(release))
		listens(t, b, "25")
		was := look(t, b)
		for _, more := range [][]string{{"--dry-run"}, nil} {
			_, said := product(t, b, 2, initArgs(more...)...)
			says(t, strings.Join(strings.Fields(said), " "), c.says, "hint: ")
			asBefore(t, b, was)
			notServed(t, b)
		}
		b.Write(t, "/etc/postfix/main.cf", main, 0o644)
		b.Run(t, "postfix", "reload")
		if strings.Contains(c.set, "sasl") { // it is mended, and not tried again yet
			_, said := product(t, b, 2, initArgs("--dry-run")...)
			says(t, strings.Join(strings.Fields(said), " "), c.says, "hint: mend that, if it is not mended yet, then: systemctl restart postfix")
		}
		b.Sh(t, "systemctl restart postfix") // as the hint says
		becomes(t, b, "ss -tlnH 'sport = :25' | grep -q .")
		product(t, b, 0, initArgs("--dry-run")...)
	}
	leavesUnsigned(t, b, sink)
}

// deaf puts a program in the place of smtpd that ends at once when Postfix
// asks the signer.
func deaf(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Run(t, "mv", "/usr/lib/postfix/sbin/smtpd", "/usr/lib/postfix/sbin/smtpd.real")
	b.Write(t, "/usr/lib/postfix/sbin/smtpd", "#!/bin/sh\n"+
		"grep -q opendkim /etc/postfix/main.cf && exit 1\nexec /usr/lib/postfix/sbin/smtpd.real \"$@\"\n", 0o755)
}

// rndcFails has rndc(8) fail while a condition is true, so that the unit of BIND is asked to
// reload. What is returned mends it.
func rndcFails(t *testing.T, b *lab.Box, when string) (mend func()) {
	t.Helper()
	b.Run(t, "mv", "/usr/sbin/rndc", "/usr/sbin/rndc.real")
	b.Write(t, "/usr/sbin/rndc", "#!/bin/sh\nif "+when+"; then exit 1; fi\nexec rndc.real \"$@\"\n", 0o755)
	return func() { b.Run(t, "mv", "/usr/sbin/rndc.real", "/usr/sbin/rndc") }
}

// bindRefuses: a BIND that does not reload, and a zone that the checker
// refuses before anything is touched.
func bindRefuses(t *testing.T, b *lab.Box, sink *lab.Sink, _ string) {
	t.Helper()
	was := look(t, b)
	dropIn(t, b, "named.service", "ExecReload=\nExecReload="+unless("mailsetup", "/etc/bind/db.lab.example", "rndc.real reload"))
	mend := rndcFails(t, b, "true")
	_, stderr := product(t, b, 1, initArgs()...)
	mend()
	says(t, stderr, "named.service", distaste, "everything was put back as it was")
	asBefore(t, b, was)
	notServed(t, b)

	undrop(t, b, "named.service")
	b.Sh(t, `printf 'www IN A 192.0.2.80\nwww IN CNAME mail\n' >>/etc/bind/db.lab.example`)
	was = look(t, b)
	out, stderr, code := b.Exec(t.Context(), nil, append([]string{"mailsetup"}, initArgs()...)...)
	if code != 1 && code != 2 {
		t.Errorf("exit %d\n%s\n%s", code, out, stderr)
	}
	says(t, stderr, "lab.example", "CNAME and other data")
	asBefore(t, b, was)
	notServed(t, b)
	leavesUnsigned(t, b, sink)
	b.Sh(t, "sed -i '/^www IN /d' /etc/bind/db.lab.example")
}
