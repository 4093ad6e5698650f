//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

const (
	dropInDir = "/etc/systemd/system/opendkim.service.d/"
	override  = dropInDir + "override.conf"
)

// TestOverride: Debian's legacy generator made OpenDKIM listen elsewhere. That
// is taken out on consent only, mail never passes the signer meanwhile, and a
// rollback gives back what was there.
func TestOverride(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		legacy(t, b)
		units := b.Snapshot(t, "/etc/systemd/system", "/etc/tmpfiles.d")
		refusesOverride(t, b)

		was := look(t, b)
		failsToMove(t, b, release)
		asBefore(t, b, was)
		same(t, units, b.Snapshot(t, "/etc/systemd/system", "/etc/tmpfiles.d"))

		out, _ := product(t, b, 0, initArgs("--replace-override")...)
		says(t, strings.Join(strings.Fields(out), " "), "restart opendkim.service", "-ExecStart=/usr/sbin/opendkim -P /var/spool/postfix/run/opendkim/opendkim.pid -p inet:8891@localhost")
		if got, want := b.Read(t, override), "# more files, please\n[Unit]\nAfter=named.service\n[Service]\nLimitNOFILE=9999\n"; got != want {
			t.Errorf("the drop-in is\n%s\nwant\n%s", got, want)
		}
		leavesSigned(t, b, sink)
		nothingChanges(t, b, initArgs()...)
		b.Reboot(t)
		leavesSigned(t, b, sink)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		same(t, units, b.Snapshot(t, "/etc/systemd/system", "/etc/tmpfiles.d"))
		leavesUnsigned(t, b, sink)
		moves(t, b, sink)
	})
}

// legacy sets OpenDKIM up as Debian's README did for years: on a port, with
// the PID file in Postfix's chroot, and some settings of one's own beside that.
func legacy(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `sed -i -e 's,^RUNDIR=.*,RUNDIR=/var/spool/postfix/run/opendkim,' -e 's,^SOCKET=.*,SOCKET=inet:8891@localhost,' \
	-e 's,^EXTRAAFTER=.*,EXTRAAFTER=named.service,' /etc/default/opendkim
cd /root; /usr/lib/opendkim/opendkim.service.generate
sed -i -e '1i # more files, please' -e 's/^\[Service\]/&\nLimitNOFILE=9999/' `+override+`
printf '[Service]\nNice=5\n' >`+dropInDir+`nice.conf
systemd-tmpfiles --create /etc/tmpfiles.d/opendkim.conf
systemctl daemon-reload; systemctl restart opendkim; rm -r /run/opendkim
postconf -e smtpd_milters=inet:localhost:8891 'non_smtpd_milters=$smtpd_milters' milter_default_action=accept; postfix reload`)
	if at := running(t, b); !strings.Contains(at, "127.0.0.1:8891") {
		t.Fatalf("OpenDKIM does not run as the test wants it:\n%s", at)
	}
}

// refusesOverride insists that nothing is touched without the consent of its
// own, and nothing at all where a whole unit file stands in the way.
func refusesOverride(t *testing.T, b *lab.Box) {
	t.Helper()
	was, units := look(t, b), invocations(t, b)
	out, stderr := product(t, b, 2, initArgs()...)
	says(t, out+stderr, override, "-p inet:8891@localhost", "--replace-override")
	whole := "/etc/systemd/system/opendkim.service"
	b.Sh(t, "sed 's,^ExecStart=.*,& -p inet:8892,' /usr/lib/systemd/system/opendkim.service >"+whole)
	_, stderr = product(t, b, 2, initArgs("--replace-override")...)
	says(t, stderr, whole+":", "ExecStart=/usr/sbin/opendkim -p inet:8892", "systemctl edit opendkim.service")
	b.Run(t, "rm", whole)
	asBefore(t, b, was)
	if got := invocations(t, b); got != units {
		t.Errorf("units were touched:\n%s\nbefore:\n%s", got, units)
	}
}

// failsToMove lets Postfix refuse the new endpoint, so that OpenDKIM has to go
// back to the old one.
func failsToMove(t *testing.T, b *lab.Box, release string) {
	t.Helper()
	unit := postfixUnit(release)
	dropIn(t, b, unit, "ExecReload=\nExecReload="+unless("opendkim/opendkim.sock", "/etc/postfix/main.cf", "postfix reload"))
	_, stderr := product(t, b, 1, initArgs("--replace-override")...)
	says(t, stderr, distaste, "everything was put back as it was")
	undrop(t, b, unit)
}

// oldSigner signs for lab.example with a key of its own.
const oldSigner = `Syslog yes
UserID opendkim
UMask 007
Mode s
Domain lab.example
Selector old
KeyFile /etc/dkimkeys/old.private
InternalHosts 127.0.0.1,192.0.2.10
OversignHeaders From
`

// moves makes a signer that is in use move to our socket and back while mail
// flows. Its zone is kept by hand, so that both keys stay published.
func moves(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Write(t, "/etc/opendkim.conf", oldSigner, 0o644)
	b.Sh(t, `cd /etc/dkimkeys; opendkim-genkey -d lab.example -s old; chown opendkim: old.private
systemctl restart opendkim`)
	publish(t, b, b.Read(t, "/etc/dkimkeys/old.txt")+"@ IN MX 10 mail\n")
	leavesSignedBy(t, b, sink, "lab.example")
	was := running(t, b)
	under(t, b, sink, calm, "move", func() {
		out, _ := product(t, b, 0, initArgs("--dns", "manual", "--overwrite-drift", "--replace-override", "--milter-default-action", "accept")...)
		zone, _ := printed(t, b, out)
		publish(t, b, zone)
	})
	if at := running(t, b); strings.Contains(at, ":8891") {
		t.Errorf("OpenDKIM still listens on its port:\n%s", at)
	}
	if got := postconf(t, b)["smtpd_milters"]; strings.Contains(got, "8891") {
		t.Errorf("smtpd_milters =%s", got)
	}
	under(t, b, sink, calm, "move back", func() { product(t, b, 0, "rollback", "--yes") })
	if at := running(t, b); at != was {
		t.Errorf("runs now:\n%s\nbefore:\n%s", at, was)
	}
	if got := leavesSignedBy(t, b, sink, "lab.example"); got != "old" {
		t.Errorf("signed with %s, want the old key", got)
	}
}

// publish adds text to the zone by hand.
func publish(t *testing.T, b *lab.Box, text string) {
	t.Helper()
	publishIn(t, b, "lab.example", text)
}

func publishIn(t *testing.T, b *lab.Box, origin, text string) {
	t.Helper()
	path := "/etc/bind/db." + origin
	zone := b.Read(t, path)
	m := serial.FindStringSubmatch(zone)
	if m == nil {
		t.Fatalf("no serial in\n%s", zone)
	}
	next := strings.TrimSpace(b.Run(t, "expr", m[2], "+", "1"))
	b.Write(t, path, serial.ReplaceAllString(zone, "${1}"+next)+text, 0o644)
	b.Sh(t, "named-checkzone -q "+origin+" "+path+"; rndc reload "+origin)
	becomes(t, b, "dig +short @127.0.0.1 SOA "+origin+" | grep -q ' "+next+" '")
}
