//go:build e2e

package e2e

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// handMade is what an administrator may have written into main.cf: comments
// that look like ours, odd spacing, lines that go on, a milter of their own
// that is down at the moment.
const handMade = `
# smtpd_milters = inet:localhost:8891
#non_smtpd_milters=$smtpd_milters
   # an indented comment, and below it settings as nobody should write them
smtpd_milters   =   { inet:127.0.0.1:11332,
	connect_timeout=2s,
# in the middle of a value
    default_action=accept }   
non_smtpd_milters=$smtpd_milters
message_size_limit	=	20480000
smtpd_banner = $myhostname
  ESMTP   and spaces   inside

# milter_default_action=accept
header_checks =
# the end, without a new line`

// TestHandEditsSurvive: in somebody else's main.cf only our parameters change,
// and their milter stays in front of ours.
func TestHandEditsSurvive(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+handMade, 0o644)
		b.Sh(t, "printf '# a remark\\n' >>/etc/postfix/master.cf; postfix reload")
		leavesUnsigned(t, b, sink) // the stage is set right
		conf, text, master := postconf(t, b), b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")

		// Their milter would see bounces, too: a yes to the plan is not enough.
		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "internal_mail_filter_classes = bounce", "inet:127.0.0.1:11332", "--sign-bounces yes")
		args := initArgs("--sign-bounces", "yes")
		product(t, b, 0, args...)
		leavesSigned(t, b, sink)
		after := postconf(t, b)
		for _, name := range []string{"smtpd_milters", "internal_mail_filter_classes"} {
			if after[name] == conf[name] {
				t.Errorf("%s is still %q", name, after[name])
			}
		}
		if got := strings.Join(strings.Fields(after["smtpd_milters"]), " "); !strings.HasPrefix(got, "{ inet:127.0.0.1:11332, connect_timeout=2s, default_action=accept }") ||
			!strings.Contains(got, "unix:opendkim/opendkim.sock") {
			t.Errorf("smtpd_milters = %s", got)
		}
		delete(after, "smtpd_milters")
		delete(conf, "smtpd_milters")
		delete(after, "internal_mail_filter_classes")
		conf["transport_maps"] = " " + probeRoute
		encrypts(conf, release)
		same(t, conf, after)
		onlyOurLines(t, text, b.Read(t, "/etc/postfix/main.cf"))
		if b.Read(t, "/etc/postfix/master.cf") != master {
			t.Error("master.cf was changed")
		}
		nothingChanges(t, b, initArgs()...) // the answer stays
		product(t, b, 0, "rollback", "--yes")
		if got := b.Read(t, "/etc/postfix/main.cf"); got != text {
			t.Errorf("main.cf after the rollback:\n%s", got)
		}
	})
}

// postconf is what stands in main.cf, by parameter.
func postconf(t *testing.T, b *lab.Box) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(b.Run(t, "postconf", "-n")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " =")
		values[name] = value
	}
	return values
}

// encrypts adds the parameter by which mail leaves encrypted where it would not: Debian 14
// has it so by its compatibility_level.
func encrypts(parameters map[string]string, release string) {
	if release != lab.Next {
		parameters["smtp_tls_security_level"] = " may"
	}
}

// probeRoute is what stands first in transport_maps, with Debian's master.cf.
const probeRoute = "inline:{[127.83.77.1]=smtp:[127.83.77.1]:24, relay@[127.83.77.1]=relay:[127.83.77.1]:24}"

// onlyOurLines insists that a main.cf kept all of its lines in their order but for
// those of smtpd_milters, transport_maps, smtp_tls_security_level and of the parameters
// named, and got no others than our parameters.
func onlyOurLines(t *testing.T, before, after string, more ...string) {
	t.Helper()
	changed := append(more, "smtpd_milters", "transport_maps", "smtp_tls_security_level")
	rest := strings.Split(after, "\n")
	ours := false
	for line := range strings.SplitSeq(before, "\n") {
		comment := strings.HasPrefix(strings.TrimSpace(line), "#") || strings.TrimSpace(line) == ""
		if !comment && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			ours = sets(line, changed)
		}
		if ours && !comment {
			continue
		}
		i := slices.Index(rest, line)
		if i < 0 {
			t.Errorf("main.cf lost %q", line)
			continue
		}
		added(t, rest[:i], changed)
		rest = rest[i+1:]
	}
	added(t, rest, changed)
}

// added insists that new lines of main.cf are our parameters.
func added(t *testing.T, lines, changed []string) {
	t.Helper()
	for _, line := range lines {
		if line != "" && !sets(line, append(changed[:len(changed):len(changed)], "internal_mail_filter_classes")) {
			t.Errorf("main.cf got %q", line)
		}
	}
}

// sets tells whether a line of main.cf is about one of the parameters.
func sets(line string, parameters []string) bool {
	name, _, _ := strings.Cut(line, "=")
	return slices.Contains(parameters, strings.TrimSpace(name))
}

// TestForeignMaster: a service with a list of milters of its own would send mail
// unsigned behind our back. It is named, and left alone until somebody says
// what is to become of it; what Postfix itself could not do is refused.
func TestForeignMaster(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		plain := b.Read(t, "/etc/postfix/master.cf")
		service := func(option string) {
			b.Write(t, "/etc/postfix/master.cf", plain+"submission inet n - y - - smtpd\n  -o syslog_name=postfix/submission\n"+option, 0o644)
		}
		refused := func(words ...string) {
			was := b.Snapshot(t, "/etc", "/var/lib", "!/var/lib/postfix")
			_, stderr := product(t, b, 2, initArgs()...)
			line := strings.Count(b.Read(t, "/etc/postfix/master.cf"), "\n")
			says(t, stderr, append(words, "/etc/postfix/master.cf:"+strconv.Itoa(line), "submission", "smtpd_milters")...)
			same(t, was, b.Snapshot(t, "/etc", "/var/lib", "!/var/lib/postfix"))
		}
		service("  -o smtpd_milters=$smtpd_milters\n")
		refused("itself")
		service("  -o smtpd_milters=\n")
		b.Run(t, "postfix", "reload")
		was := look(t, b)
		refused("--service-milters merge")
		asBefore(t, b, was)

		master := b.Read(t, "/etc/postfix/master.cf")
		product(t, b, 0, initArgs("--service-milters", "keep")...)
		leavesSigned(t, b, sink)
		if b.Read(t, "/etc/postfix/master.cf") != master {
			t.Error("master.cf was changed")
		}
		if msg := by(t, b, sink, lab.Letter{Server: b.Addr + ":587"}); len(lab.VerifyDKIM(t, b, msg)) != 0 {
			t.Errorf("signed after a no:\n%s", msg)
		}
		nothingChanges(t, b, initArgs()...) // the no stays

		product(t, b, 0, initArgs("--service-milters", "merge")...)
		signed(t, b, by(t, b, sink, lab.Letter{Server: b.Addr + ":587"}))
		want := plain + "submission inet n - y - - smtpd\n  -o syslog_name=postfix/submission\n" +
			"  -o smtpd_milters={ unix:opendkim/opendkim.sock, default_action=tempfail }\n"
		if got := b.Read(t, "/etc/postfix/master.cf"); got != want {
			t.Errorf("master.cf ends in\n%s", got[len(plain):])
		}
		product(t, b, 0, "rollback", "--yes")
		if b.Read(t, "/etc/postfix/master.cf") != master {
			t.Error("the rollback did not give master.cf back")
		}
	})
}

// by sends a letter from ann@lab.example, unless it says otherwise, to
// bob@remote.example and returns it as it arrives.
func by(t *testing.T, b *lab.Box, sink *lab.Sink, m lab.Letter) []byte {
	t.Helper()
	m.From, m.To = cmp.Or(m.From, "ann@lab.example"), cmp.Or(m.To, "bob@remote.example")
	m.Subject, m.Body = cmp.Or(m.Subject, "by "+m.Server), cmp.Or(m.Body, "hello")
	before := sink.Count()
	if said, taken := b.Send(t, m); !taken {
		t.Fatalf("%+v: %s", m, said)
	}
	return sink.Wait(t, before+1, time.Minute)[before].Data
}

const handMadeSigner = `# ours since 2019
Syslog yes
UserID opendkim
UMask 007
PidFile /run/opendkim/opendkim.pid
Socket inet:8891@localhost
Mode v
AuthservID mx.lab.example
Nameservers 127.0.0.1
On-BadSignature reject
`

// TestDrift: an OpenDKIM that only verifies signs from then on, with the settings
// that it had, and a rollback gives it back. Postfix asks it where it moves to, and
// where it was. What somebody changes in our files is shown and kept.
func TestDrift(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Write(t, "/etc/opendkim.conf", handMadeSigner, 0o640)
		b.Sh(t, restartSigner+"; postconf -e smtpd_milters=inet:localhost:8891 non_smtpd_milters=inet:127.0.0.1:8891; postfix reload")
		was := look(t, b)
		if !strings.Contains(was.running, "127.0.0.1:8891") {
			t.Fatalf("OpenDKIM does not listen where the test wants it:\n%s", was.running)
		}
		const what = "/etc/opendkim.conf was set up by hand and signs nothing"
		_, stderr := product(t, b, 2, "adopt", "--yes", "--ip", "192.0.2.10")
		says(t, stderr, what+": there is no key to take over", "hint: mailsetup init lets it sign, and keeps its settings")
		out, _ := product(t, b, 0, initArgs("--dry-run")...)
		says(t, strings.Join(strings.Fields(out), " "), what+" (Mode v). Its settings are kept in /etc/mailsetup/host.toml (AuthservID, Nameservers, On-BadSignature)")
		out, _ = product(t, b, 0, initArgs("--dry-run", "--overwrite-drift")...)
		says(t, strings.Join(strings.Fields(out), " "), "these settings of /etc/opendkim.conf go, since --overwrite-drift begins anew: AuthservID mx.lab.example; Nameservers 127.0.0.1; On-BadSignature reject")
		asBefore(t, b, was)

		product(t, b, 0, initArgs()...)
		b.Sh(t, "grep -q '^AuthservID *mx.lab.example$' /etc/opendkim.conf && grep -q '^On-BadSignature *reject$' /etc/opendkim.conf && grep -q '^Mode *sv$' /etc/opendkim.conf")
		leavesSigned(t, b, sink)
		nothingChanges(t, b, "init", "--yes")

		table := b.Read(t, "/etc/opendkim/SigningTable")
		b.Write(t, "/etc/opendkim/SigningTable", table+"other.example elsewhere\n", 0o644)
		drifts(t, b, "/etc/opendkim/SigningTable", "-other.example elsewhere")
		b.Write(t, "/etc/opendkim/SigningTable", table, 0o644)
		noLeak(t, b)

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		leavesUnsigned(t, b, sink)
		neverUp(t, b, sink)
	})
}

// neverUp takes an OpenDKIM over that signs and that systemd never sees come up, since
// it writes no PID file, and gives it back as it was.
func neverUp(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	const conf = "Syslog yes\nUserID opendkim\nUMask 007\nSocket inet:8891@localhost\nNameservers 127.0.0.1\n" +
		"Domain lab.example\nSelector old\nKeyFile /etc/dkimkeys/old.private\nInternalHosts 127.0.0.1,192.0.2.10\n"
	b.Write(t, "/etc/opendkim.conf", conf, 0o644)
	b.Sh(t, "cd /etc/dkimkeys; opendkim-genkey -d lab.example -s old; chown opendkim: old.private; systemctl restart --no-block opendkim")
	publish(t, b, b.Read(t, "/etc/dkimkeys/old.txt")+"@ IN MX 10 mail\n")
	signs := func(when string) {
		t.Helper()
		// systemd ends it and starts it again every 90 seconds. While it is asked to, the one
		// before still listens: the state comes first.
		becomes(t, b, `systemctl show -p ActiveState opendkim | grep -qx ActiveState=activating && ss -tln | grep -q 127.0.0.1:8891 && bash -c 'exec 3<>/dev/tcp/127.0.0.1/25 && read -r -t 5 line <&3 && [[ $line == 220* ]]'`)
		if by := leavesSignedBy(t, b, sink, "lab.example"); by != "old" {
			t.Errorf("%s: signed with %s", when, by)
		}
	}
	signs("as it was")
	product(t, b, 0, adoptArgs()...)
	b.Run(t, "systemctl", "is-active", "opendkim")
	leavesSignedBy(t, b, sink, "lab.example")
	product(t, b, 0, "rollback", "--yes")
	if got := b.Read(t, "/etc/opendkim.conf"); got != conf {
		t.Errorf("after the rollback opendkim.conf is\n%s", got)
	}
	signs("after the rollback")
}

// drifts insists that init refuses to overwrite a file and shows the
// difference.
func drifts(t *testing.T, b *lab.Box, path, line string) {
	t.Helper()
	was, units := look(t, b), invocations(t, b)
	out, stderr := product(t, b, 1, initArgs()...)
	says(t, stderr, path+" is not as mailsetup left it", "--overwrite-drift")
	says(t, out+stderr, line)
	asBefore(t, b, was)
	if got := invocations(t, b); got != units {
		t.Errorf("units were touched:\n%s\nbefore:\n%s", got, units)
	}
}
