//go:build e2e

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// each runs a test on every release, side by side.
func each(t *testing.T, f func(t *testing.T, release string)) {
	t.Parallel()
	for _, release := range Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			f(t, release)
		})
	}
}

// once runs a test on one release, of what the tests of the product use on both.
func once(t *testing.T, f func(t *testing.T, release string)) {
	t.Parallel()
	f(t, "trixie")
}

func want(t *testing.T, what, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %q, want %q", what, got, wanted)
	}
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

func TestBareBoxServesZonesAndInstallsOffline(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := Boot(t, Options{Release: release})
		contains(t, "os-release", b.Read(t, "/usr/lib/os-release"), "VERSION_CODENAME="+release)
		want(t, "failed units", b.Run(t, "systemctl", "--failed", "--plain", "--no-legend"), "")
		want(t, "fqdn", b.Run(t, "hostname", "-f"), "mail.lab.example\n")
		for _, p := range append(MailPackages(), "exim4-daemon-light") {
			if _, _, code := b.Exec(t.Context(), nil, "dpkg", "-s", p); code == 0 {
				t.Errorf("%s is installed in a bare box", p)
			}
		}
		if out, _, code := b.Exec(t.Context(), nil, "ip", "route", "get", "203.0.113.1"); code == 0 {
			t.Errorf("the box has a way out: %s", out)
		}

		b.Named(t, "lab.example", "www IN A 192.0.2.80")
		dig := func(args ...string) string {
			return b.Run(t, append([]string{"dig", "+short", "@127.0.0.1"}, args...)...)
		}
		want(t, "A", dig("mail.lab.example"), "192.0.2.10\n")
		want(t, "extra A", dig("www.lab.example"), "192.0.2.80\n")
		want(t, "MX of ours", dig("MX", "lab.example"), "")
		want(t, "PTR", dig("-x", "192.0.2.10"), "mail.lab.example.\n")
		want(t, "MX of theirs", dig("MX", "remote.example"), "10 mx.remote.example.\n")
		want(t, "A of theirs", dig("mx.remote.example"), SinkAddr+"\n")

		// With --print-uris apt names what it would have to fetch.
		groups := strings.Join(carried(), "\n") + "\n"
		missing, errs, _ := b.Exec(t.Context(), strings.NewReader(groups), "sh", "-c",
			"while read -r group; do apt-get --print-uris -qq --no-install-recommends install $group; done")
		want(t, "packages not carried", missing+errs, "")
		b.Apt(t, "postfix", "opendkim")
		want(t, "opendkim", b.Run(t, "systemctl", "is-active", "opendkim"), "active\n")
		f := &failing{T: t}
		f.run(func() { b.Apt(f, "exim4-daemon-light") })
		contains(t, "a second mail server", f.said, "Packages need to be removed", "install exim4-daemon-light: exit status 100")
	})
}

func TestRebootKeepsTheServer(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := Boot(t, Options{Release: release, Addresses: []string{"192.0.2.10/32", "2001:db8::10/128"}})
		b.Named(t, "lab.example")
		b.Write(t, "/etc/note", "kept\n", 0o640)
		before := b.Snapshot(t, "/etc/bind", "/etc/note", "/etc/lab")
		leader := b.leader
		for name, again := range map[string]func(T){"reboot": b.Reboot, "power cut": b.PowerCut} {
			again(t)
			if b.leader == leader {
				t.Fatalf("%s: PID 1 is still the old one", name)
			}
			leader = b.leader
			addresses := b.Run(t, "ip", "-br", "addr", "show", "dev", "eth0")
			contains(t, name+": addresses", addresses, "192.0.2.10/32", "2001:db8::10/128")
			want(t, name+": AAAA", b.Run(t, "dig", "+short", "AAAA", "mail.lab.example"), "2001:db8::10\n")
			after := b.Snapshot(t, "/etc/bind", "/etc/note", "/etc/lab")
			for path := range before {
				want(t, name+": "+path, after[path], before[path])
			}
		}
	})
}

func TestTwoBoxesDoNotMeet(t *testing.T) {
	t.Parallel()
	one := Boot(t, Options{Release: "trixie", Image: Mail})
	two := Boot(t, Options{Release: "trixie", Image: Mail, Hostname: "mx.other.example"})
	one.Run(t, "systemctl", "stop", "opendkim", "named")
	one.Write(t, "/etc/mine", "", 0o644)
	want(t, "opendkim in the other box", two.Run(t, "systemctl", "is-active", "opendkim", "named"), "active\nactive\n")
	if two.Exists("/etc/mine") {
		t.Error("a file of one box is seen in the other")
	}
	one.Run(t, "systemctl", "restart", "opendkim", "named")
	want(t, "host name", two.Run(t, "hostname", "-f"), "mx.other.example\n")
	want(t, "failed units", two.Run(t, "systemctl", "--failed", "--plain", "--no-legend"), "")
}

// left tells what is still there of a box.
func left(t *testing.T, b *Box) (left []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if mountedIn(string(mounts), b.dir) {
		left = append(left, "mount")
	}
	for _, path := range append(b.cgroups, b.dir) {
		if _, err := os.Stat(path); err == nil {
			left = append(left, path)
		}
	}
	return left
}

func TestNothingIsLeftOfABox(t *testing.T) {
	t.Parallel()
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Start(t.Context(), Options{Release: "bookworm"})
	if err != nil {
		t.Fatal(err)
	}
	if len(left(t, b)) < 3 {
		t.Fatalf("a running box shows only %q: the check sees nothing", left(t, b))
	}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, b); len(got) > 0 {
		t.Errorf("left of the box: %q", got)
	}
	if err := b.Kill(); err != nil {
		t.Errorf("second kill: %v", err)
	}
}

// TestABoxGoesWithItsOwner runs itself again, as a process that boots a box
// and is killed.
func TestABoxGoesWithItsOwner(t *testing.T) {
	if os.Getenv("LAB_OWNER") == "1" {
		b := Boot(t, Options{Release: "trixie"})
		fmt.Printf("box %s\n", b.Name)
		select {}
	}
	t.Parallel()
	owner := exec.Command(os.Args[0], "-test.run=^TestABoxGoesWithItsOwner$")
	owner.Env = append(os.Environ(), "LAB_OWNER=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	if _, err := fmt.Fscanf(out, "box %s\n", &name); err != nil {
		t.Fatal(err)
	}
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	b := &Box{dir: filepath.Join(l.boxes(), name), cgroups: cgroups(name)}
	if len(left(t, b)) < 3 {
		t.Fatalf("before: only %q", left(t, b))
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // ends by the signal
	for end := time.Now().Add(time.Minute); len(left(t, b)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left of the box: %q", left(t, b))
		}
	}
}

// failing is a test that has failed, without failing the one around it.
type failing struct {
	*testing.T
	cleanups []func()
	said     string
}

// run does what is to end with a Fatalf, and notes its words.
func (f *failing) run(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	<-done
}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *failing) Failed() bool      { return true }
func (f *failing) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }

func TestAFailedTestCanKeepItsBox(t *testing.T) {
	t.Setenv("MAILSETUP_KEEP", "1")
	f := &failing{T: t}
	b := Boot(f, Options{Release: "bookworm"})
	for _, do := range f.cleanups {
		do()
	}
	enter := b.Enter("hostname")
	if out, err := exec.Command(enter[0], enter[1:]...).CombinedOutput(); err != nil || string(out) != "mail.lab.example\n" {
		t.Errorf("the kept box does not answer: %v\n%s", err, out)
	}
	if err := b.lab.Clean(b.Name); err != nil {
		t.Fatal(err)
	}
	if got := left(t, b); len(got) > 0 {
		t.Errorf("left of the box: %q", got)
	}
}

// signByHand is the recipe of an administrator with patience.
const signByHand = `
opendkim-genkey -D /etc/dkimkeys -d lab.example -s s2026 -b 2048
chown opendkim:opendkim /etc/dkimkeys/s2026.*
echo 's2026._domainkey.lab.example lab.example:s2026:/etc/dkimkeys/s2026.private' >/etc/dkimkeys/key.table
echo 'lab.example s2026._domainkey.lab.example' >/etc/dkimkeys/signing.table
printf '127.0.0.1\n::1\n192.0.2.10\n' >/etc/dkimkeys/trusted.hosts
cat >/etc/opendkim.conf <<EOF
Syslog yes
Canonicalization relaxed/simple
Mode sv
OversignHeaders From
UserID opendkim
UMask 007
Socket local:/var/spool/postfix/opendkim/opendkim.sock
PidFile /run/opendkim/opendkim.pid
KeyTable file:/etc/dkimkeys/key.table
SigningTable file:/etc/dkimkeys/signing.table
InternalHosts file:/etc/dkimkeys/trusted.hosts
ExternalIgnoreList file:/etc/dkimkeys/trusted.hosts
Nameservers 127.0.0.1
EOF
echo 'd /var/spool/postfix/opendkim 2750 opendkim postfix - -' >/etc/tmpfiles.d/lab.conf
systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf
postconf -e smtpd_milters=unix:opendkim/opendkim.sock non_smtpd_milters=unix:opendkim/opendkim.sock milter_default_action=tempfail
cat /etc/dkimkeys/s2026.txt >>/etc/bind/db.lab.example
echo '@ IN TXT "v=spf1 ip4:192.0.2.10 -all"' >>/etc/bind/db.lab.example
named-checkconf -z
systemctl restart named opendkim postfix
`

func TestVerifiersAcceptAndRefuse(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := Boot(t, Options{Release: release, Image: Mail})
		b.Named(t, "lab.example")
		sink := b.Sink(t)
		b.Sh(t, signByHand)
		for range 1200 {
			if b.Exists("/var/spool/postfix/opendkim/opendkim.sock") {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		letter := Letter{From: "ann@lab.example", To: "bob@remote.example", Subject: "hello", Body: "A word."}
		if said, taken := b.Send(t, letter); !taken {
			t.Fatalf("our own server refused: %s", said)
		}
		letter.Client = OutsideAddr
		if said, taken := b.Send(t, letter); taken || !strings.Contains(said, "Relay access denied") {
			t.Errorf("a stranger may relay: %s", said)
		}
		msg := sink.Wait(t, 1, 30*time.Second)[0]
		want(t, "envelope", msg.From+" "+strings.Join(msg.To, ","), "ann@lab.example bob@remote.example")
		accepted(t, b, msg.Data)
		for name, copy := range map[string][]byte{"body": TamperBody(t, msg.Data), "subject": TamperSubject(t, msg.Data)} {
			refused(t, b, name, copy)
		}
		// A valid signature whose record is gone proves nothing either.
		b.Sh(t, "sed -i '/_domainkey/,$d' /etc/bind/db.lab.example; systemctl restart named")
		b.served(t, "lab.example")
		refused(t, b, "message without a record", msg.Data)
	})
}

func accepted(t *testing.T, b *Box, msg []byte) {
	t.Helper()
	found := VerifyDKIM(t, b, msg)
	if len(found) != 1 || found[0].Err != "" || found[0].Domain != "lab.example" || found[0].Selector != "s2026" {
		t.Fatalf("go-msgauth: %+v\n%s", found, msg)
	}
	contains(t, "signed header fields", strings.ToLower(strings.Join(found[0].HeaderKeys, " ")), "from", "subject")
	if ok, said := VerifyPython(t, b, msg); !ok {
		t.Errorf("dkimverify: %s", said)
	}
	want(t, "SPF of ours", SPF(t, b, b.Addr, "mail.lab.example", "ann@lab.example").Result, "pass")
	want(t, "SPF of a stranger", SPF(t, b, OutsideAddr, "client.example", "ann@lab.example").Result, "fail")
}

func refused(t *testing.T, b *Box, name string, msg []byte) {
	t.Helper()
	found := VerifyDKIM(t, b, msg)
	if len(found) != 1 || found[0].Err == "" {
		t.Errorf("%s: go-msgauth accepts: %+v", name, found)
	}
	if ok, said := VerifyPython(t, b, msg); ok {
		t.Errorf("%s: dkimverify accepts: %s", name, said)
	}
}
