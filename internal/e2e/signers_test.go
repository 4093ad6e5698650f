//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// The signers that stand in Postfix's lists before mailsetup: rspamd as its
// documentation has it, for all mail but that of submission, for which there is
// an OpenDKIM of its own beside that of opendkim.service.
const (
	rspamdSigning = "selector = \"mail\";\npath = \"/var/lib/rspamd/dkim/$domain.$selector.key\";\n"
	rspamdProxy   = "milter = yes;\nupstream \"local\" { default = yes; self_scan = yes; }\n"
	// rspamdQuick leaves out what takes half a minute of a processor at its start
	// (the suffixes of all domains) and what asks the world.
	rspamdQuick = "filters = \"dkim\";\nurl_tld = \"/etc/rspamd/tld.dat\";\ndisable_hyperscan = true;\n"

	signConf = `Syslog yes
UserID opendkim
UMask 007
Mode s
Domain lab.example
Selector sub
KeyFile /etc/dkimkeys/sub.private
Socket inet:8894@localhost
PidFile /run/opendkim/sign.pid
`
	signUnit = `[Service]
Type=simple
ExecStart=/usr/sbin/opendkim -f -x /etc/opendkim-sign.conf
[Install]
WantedBy=multi-user.target
`
	dkimpyConf = `Syslog yes
UMask 007
Domain lab.example
KeyFile /etc/dkimkeys/py.private
Selector py
Mode s
Socket inet:8892@localhost
PidFile /run/dkimpy-milter/dkimpy-milter.pid
UserID dkimpy-milter
`
	signersMaster = `submission inet n - y - - smtpd
  -o smtpd_milters=inet:localhost:8894
`
)

// TestOtherSigners: who signs already is found by a message, and each message
// has one signature afterwards, theirs or ours, which is made with a copy of
// their key.
func TestOtherSigners(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		signersThere(t, b)
		onceBy(t, b, sink, "mail", "sub")
		was := look(t, b)
		scored(t, b)

		_, said := product(t, b, 2, "adopt", "--yes")
		says(t, said, "a second OpenDKIM, not the OpenDKIM of opendkim.service, signs mail here: opendkim-sign.service at "+
			"inet:localhost:8894 (smtpd_milters of submission/inet), configured by /etc/opendkim-sign.conf for lab.example",
			"hint: mailsetup init --domain lab.example --other-signer replace")
		_, said = product(t, b, 2, initArgs("--sign-bounces", "no", "--service-milters", "merge")...)
		says(t, strings.Join(strings.Fields(said), " "),
			"rspamd (inet:localhost:11332 in smtpd_milters) signs mail of lab.example already, with selector mail",
			"mailsetup signs with the same key and selector, of which it takes a copy",
			"A second OpenDKIM (inet:localhost:8894 in smtpd_milters of submission/inet) signs mail of lab.example already, with selector sub",
			"hint: --other-signer replace allows it, keep leaves it as it is")
		asBefore(t, b, was)

		first, _ := product(t, b, 0, initArgs("--other-signer", "keep")...)
		says(t, first, "Mail of this server is left to the signer that was here before")
		if got := look(t, b); got.postfix != was.postfix || got.running != was.running {
			t.Errorf("postconf -n:\n%s\nruns: %s", got.postfix, got.running)
		}
		onceBy(t, b, sink, "mail", "sub")
		nothingChanges(t, b, initArgs()...)
		noProblem(t, b, "tls.out") // a run that signs nothing leaves Postfix alone
		b.Named(t, "second.example")
		kept := look(t, b)
		furtherDomain(t, b, sink)
		unchanged(t, withoutLedger(kept), withoutLedger(look(t, b)))

		product(t, b, 0, initArgs("--other-signer", "replace", "--sign-bounces", "no", "--service-milters", "merge")...)
		onceBy(t, b, sink, "mail", "mail")
		if theirs, ours := b.Sh(t, "openssl rsa -in /var/lib/rspamd/dkim/lab.example.mail.key -pubout 2>/dev/null"),
			b.Sh(t, "openssl rsa -in /etc/dkimkeys/lab.example/mail.private -pubout 2>/dev/null; stat -c '%U %a' /etc/dkimkeys/lab.example/mail.private"); ours != theirs+"opendkim 600\n" {
			t.Errorf("the key is\n%s\nwas\n%s", ours, theirs)
		}
		nothingChanges(t, b, initArgs()...)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(kept), withoutLedger(look(t, b)))
		onceBy(t, b, sink, "mail", "sub")

		_, id, _ := strings.Cut(strings.TrimSpace(first), "mailsetup rollback ")
		product(t, b, 0, "rollback", "--yes", id)
		b.Sh(t, "postconf -e smtpd_milters=inet:localhost:8892; postconf -P submission/inet/smtpd_milters=inet:localhost:8892; postfix reload")
		onceBy(t, b, sink, "py", "py")
		product(t, b, 0, initArgs("--other-signer", "replace", "--service-milters", "merge")...)
		onceBy(t, b, sink, "py", "py")
		if main := b.Run(t, "postconf", "-n"); strings.Contains(main, "8892") {
			t.Errorf("dkimpy-milter is still asked:\n%s", main)
		}
		nothingChanges(t, b, initArgs()...)
		amavisSigns(t, b, sink)
	})
}

// furtherDomain: the first domain that is not left to another signer needs all that
// init does for the host, or Postfix would not ask our signer. It goes again.
func furtherDomain(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	out, _ := product(t, b, 0, "add-domain", "second.example", "--yes", "--sign-bounces", "no", "--service-milters", "merge")
	says(t, oneLine(out), "Mail of this server leaves signed, apart from what you left out. Messages by sendmail and by port 25 went through Postfix")
	before := sink.Count()
	b.Sh(t, `printf 'From: ann@second.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -f ann@second.example -t -i`)
	signedBy(t, b, sink.Wait(t, before+1, 90*time.Second)[before].Data, "second.example")
	onceBy(t, b, sink, "mail", "sub")
	product(t, b, 0, "rollback", "--yes")
}

// amavisSigns: a content filter that signs behind the queue is known by its
// configuration, and is the administrator's to switch off.
func amavisSigns(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Apt(t, "amavisd-new")
	b.Sh(t, `install -d -o amavis -m 700 /var/lib/amavis/dkim
install -o amavis -m 400 /etc/dkimkeys/sub.private /var/lib/amavis/dkim/sub.pem`)
	b.Write(t, "/etc/amavis/conf.d/50-user", "use strict;\n$enable_dkim_signing = 1;\n$originating = 1;\n"+
		"dkim_key('lab.example', 'sub', '/var/lib/amavis/dkim/sub.pem');\n1;\n", 0o644)
	b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+filterMaster+backMaster+backOverrides+",no_milters\n", 0o644)
	b.Sh(t, `postconf -e 'content_filter = smtp-amavis:[127.0.0.1]:10024'
systemctl restart amavis
postfix reload`)
	listens(t, b, "10024", "10025")
	was := look(t, b)
	_, said := product(t, b, 2, initArgs("--other-signer", "replace")...)
	says(t, strings.Join(strings.Fields(said), " "), "amavis (amavis in content_filter) signs mail of lab.example already, with selector sub",
		"hint: write $enable_dkim_signing = 0; into /etc/amavis/conf.d/50-user, run systemctl restart amavis, then run this again")
	asBefore(t, b, was)
	product(t, b, 0, initArgs("--other-signer", "keep")...)
	onceBy(t, b, sink, "sub", "sub")
}

// scored has rspamd score a message that was saved.
func scored(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Write(t, "/root/saved.eml", "From: ann@lab.example\nTo: bob@remote.example\nSubject: hello\nDate: Mon, 30 Nov 2026 07:30:00 +0000\n\nhello\n", 0o600)
	listens(t, b, "11333")
	found, _ := check(t, b, "--only", "msg.score", "--message", "/root/saved.eml")
	said := wrong(found, finding.Note, finding.Unknown)
	says(t, said, "note msg.score  rspamd saved.eml: ", " make it spam; ", "note msg.score  rspamd saved.eml R_DKIM_NA: ")
	if strings.Contains(said, "HOSTNAME_UNKNOWN") {
		t.Errorf("rspamd does not know who sends it:\n%s", said)
	}
}

// signersThere sets them up, and publishes their keys.
func signersThere(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "systemctl mask rspamd dkimpy-milter 2>/dev/null") // until they are configured
	b.Apt(t, "rspamd", "dkimpy-milter")
	b.Sh(t, `mkdir /var/lib/rspamd/dkim
openssl genrsa -out /var/lib/rspamd/dkim/lab.example.mail.key 2048
openssl genrsa -out /etc/dkimkeys/sub.private 2048
openssl genrsa -out /etc/dkimkeys/py.private 2048
chown -R _rspamd:_rspamd /var/lib/rspamd/dkim
chown opendkim /etc/dkimkeys/sub.private
chown dkimpy-milter /etc/dkimkeys/py.private
chmod 711 /etc/dkimkeys
printf 'example\ncom\n' >/etc/rspamd/tld.dat
for m in fuzzy_check rbl phishing whitelist mime_types asn; do echo 'enabled = false;' >/etc/rspamd/local.d/$m.conf; done`)
	b.Write(t, "/etc/rspamd/local.d/dkim_signing.conf", rspamdSigning, 0o644)
	b.Write(t, "/etc/rspamd/local.d/worker-proxy.inc", rspamdProxy, 0o644)
	b.Write(t, "/etc/rspamd/local.d/options.inc", rspamdQuick, 0o644)
	b.Write(t, "/etc/opendkim-sign.conf", signConf, 0o644)
	b.Write(t, "/etc/systemd/system/opendkim-sign.service", signUnit, 0o644)
	b.Write(t, "/etc/dkimpy-milter/dkimpy-milter.conf", dkimpyConf, 0o644)
	var records []string
	for selector, file := range map[string]string{
		"mail": "/var/lib/rspamd/dkim/lab.example.mail.key", "sub": "/etc/dkimkeys/sub.private", "py": "/etc/dkimkeys/py.private",
	} {
		public := strings.TrimSpace(b.Sh(t, "openssl rsa -in "+file+" -pubout -outform DER 2>/dev/null | base64 -w0"))
		records = append(records, fmt.Sprintf("%s._domainkey IN TXT \"v=DKIM1; k=rsa; p=\" %q %q", selector, public[:200], public[200:]))
	}
	b.Named(t, "lab.example", records...)
	b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+"\nsmtpd_milters = inet:localhost:11332\nnon_smtpd_milters = $smtpd_milters\n", 0o644)
	b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+signersMaster, 0o644)
	b.Sh(t, `systemctl unmask rspamd dkimpy-milter 2>/dev/null
systemctl daemon-reload
systemctl start rspamd dkimpy-milter opendkim-sign
postfix reload`)
	listens(t, b, "11332", "8892", "8894", "587")
}

// onceBy sends mail by sendmail(1), port 25 and submission, and insists that
// each message has one signature, which verifies and has the selector.
func onceBy(t *testing.T, b *lab.Box, sink *lab.Sink, selector, submission string) {
	t.Helper()
	before := sink.Count()
	b.Sh(t, `printf 'From: ann@lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -f ann@lab.example -t -i`)
	for _, m := range []lab.Letter{{Subject: "by smtp"}, {Subject: "by submission", Server: b.Addr + ":587"}} {
		m.From, m.To, m.Body = "ann@lab.example", "bob@remote.example", "hello"
		if said, taken := b.Send(t, m); !taken {
			t.Fatalf("%s: %s", m.Subject, said)
		}
	}
	for _, m := range sink.Wait(t, before+3, 90*time.Second)[before:] {
		want := selector
		if strings.Contains(string(m.Data), "by submission") {
			want = submission
		}
		found := lab.VerifyDKIM(t, b, m.Data)
		if len(found) != 1 || found[0].Domain != "lab.example" || found[0].Selector != want || found[0].Err != "" {
			t.Errorf("signatures %+v, want one by %s:\n%s", found, want, m.Data)
		}
	}
}
