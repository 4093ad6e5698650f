//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// steady is mail of eight senders at once, of every kind a server sees.
func steady(pause time.Duration) lab.LoadOptions {
	return lab.LoadOptions{
		SMTP: 4, Sessions: 2, SessionTime: 3 * time.Second, Sendmail: 2,
		From: "ann@lab.example", Pause: pause,
	}
}

// A storm finds the smallest hole, and takes all of the processors for that. Ways
// to change a server that are like those proven in one are proven in calm weather.
var storm, calm = steady(40 * time.Millisecond), steady(300 * time.Millisecond)

// TestMailUnderChange: mail flows while a server that signs already is set up
// again. Whatever leaves is signed and verifies, nothing is lost, sent twice or
// refused for good.
func TestMailUnderChange(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{
			Release: release, Image: lab.Mail, Hostname: "mail.lab.example",
			Addresses: []string{"192.0.2.10/32", "2001:db8::10/128"},
		})
		b.Named(t, "lab.example")
		b.Install(t)
		sink := b.Sink(t)
		product(t, b, 0, initArgs()...)

		under(t, b, sink, storm, "reload", func() {
			out, _ := product(t, b, 0, initArgs("--ip", "2001:db8::10", "--dmarc", "quarantine", "--spf-all", "fail",
				"--milter-default-action", "accept")...)
			if strings.Contains(out, "restart opendkim") {
				t.Errorf("these options need no restart:\n%s", out)
			}
		})
		under(t, b, sink, storm, "restart", func() { restarts(t, b) })
		if cf := b.Read(t, "/etc/postfix/main.cf"); strings.Count(cf, "default_action=accept") != 2 {
			t.Errorf("milter_default_action accept is not in force in the end:\n%s", cf)
		}
		if release == "trixie" {
			under(t, b, sink, storm, "rollback", func() { restartsBack(t, b) })
		}
	})
}

// restarts makes the next run of init need a restart of OpenDKIM while
// milter_default_action=accept is in force.
func restarts(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `sed -i -e 's/^UMask.*/UMask 002/' -e 's,^Socket.*,Socket local:/run/opendkim/other.sock,' /etc/opendkim.conf`)
	pid := b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim")
	_, said := product(t, b, 1, initArgs()...)
	says(t, said, "/etc/opendkim.conf is not as mailsetup left it", "--overwrite-drift")
	out, _ := product(t, b, 0, initArgs("--overwrite-drift")...)
	if b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim") == pid {
		t.Errorf("OpenDKIM was not restarted:\n%s", out)
	}
}

// restartsBack takes back a run that restarted OpenDKIM where it was, so that
// mail is signed before and after.
func restartsBack(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `sed -i -e 's/^UMask.*/UMask 002/' /etc/opendkim.conf`)
	product(t, b, 0, initArgs("--overwrite-drift")...)
	pid := b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim")
	out, _ := product(t, b, 0, "rollback", "--yes")
	if b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim") == pid {
		t.Errorf("OpenDKIM was not restarted:\n%s", out)
	}
	if conf := b.Read(t, "/etc/opendkim.conf"); !strings.Contains(conf, "UMask 002") {
		t.Errorf("the edit did not come back:\n%s", conf)
	}
}

// under runs change while mail flows and looks at every single message.
func under(t *testing.T, b *lab.Box, sink *lab.Sink, options lab.LoadOptions, name string, change func()) {
	t.Helper()
	before, there := sink.Audit(t, "lab.example").Times, sink.Count()
	mail := b.Load(t, options)
	time.Sleep(2 * time.Second)
	began := time.Now()
	change()
	took := time.Since(began)
	time.Sleep(2 * time.Second)
	load := mail.Stop(t)
	arrive(t, b, sink, there+len(load.Sent))
	got := sink.Audit(t, "lab.example")
	maps.DeleteFunc(got.Bad, func(subject, _ string) bool { return before[subject] > 0 })
	t.Logf("%s, %.1f s: %d sent, %d deferred, %d sessions broken, %d refused; %d arrived, %d not signed well",
		name, took.Seconds(), len(load.Sent), load.Deferred, load.Broken, len(load.Refused), len(got.Times)-len(before), len(got.Bad))
	if len(load.Sent) < 100 {
		t.Errorf("only %d messages: that is no load", len(load.Sent))
	}
	for _, r := range load.Refused {
		t.Errorf("refused for good: %s", r)
	}
	for _, subject := range load.Sent {
		if n := got.Times[subject]; n != 1 {
			t.Errorf("%s arrived %d times", subject, n)
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(got.Bad)) {
		t.Errorf("%s: %s", subject, got.Bad[subject])
	}
}

// arrive waits for n messages, without the minute that Postfix lets pass
// before it looks again at what it could not do at once.
func arrive(t *testing.T, b *lab.Box, sink *lab.Sink, n int) {
	t.Helper()
	for range 240 {
		if sink.Count() >= n {
			return
		}
		b.Hurry(t.Context())
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("%d of %d messages arrived\n%s", sink.Count(), n, b.Sh(t, "mailq | tail -n 30; journalctl -n 40 --no-pager"))
}
