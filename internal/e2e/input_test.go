//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestBadInput: a wish or a machine that will not do is answered in a line
// with a hint, and nothing changes.
func TestBadInput(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Bare)
		before := treeOf(t, b)
		hostile(t, b, release)
		nobody(t, b)
		_, said := product(t, b, 2, "init")
		says(t, said, "needed without a terminal and not given", "--yes", "hint:")
		_, said = product(t, b, 1, initArgs("--no-install")...)
		says(t, said, "postfix, opendkim", "--no-install", "hint:")
		b.Run(t, "systemd-run", "-q", "--unit=lab-dpkg", "python3", "-c",
			"import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f,fcntl.LOCK_EX); print(1,flush=True); time.sleep(600)")
		b.Sh(t, "until journalctl -q -u lab-dpkg -o cat | grep -qx 1; do sleep 0.1; done")
		_, said = product(t, b, 1, initArgs()...)
		says(t, said, "package", "lock", "hint:")
		b.Run(t, "systemctl", "stop", "lab-dpkg")
		twoAtOnce(t, b)
		same(t, before, treeOf(t, b))
		if packages := b.Sh(t, "dpkg-query -W postfix opendkim 2>/dev/null || true"); packages != "" {
			t.Errorf("installed: %s", packages)
		}
	})
}

// hostile values are refused one by one, before the system is asked for anything:
// half of them on each release.
func hostile(t *testing.T, b *lab.Box, release string) {
	t.Helper()
	for i, flag := range [][2]string{
		{"--domain", "lab.example\nevil.example"},
		{"--domain", strings.Repeat("a", 300) + ".example"},
		{"--domain", strings.Repeat("a", 64) + ".example"},
		{"--domain", strings.Repeat("abcdefg.", 31) + "example"},
		{"--domain", "lab;example"},
		{"--domain", "lab%n.example"},
		{"--domain", `lab".example`},
		{"--domain", "../../etc/passwd"},
		{"--domain", "localhost"},
		{"--hostname", "mail.lab.example$(id)"},
		{"--hostname", "localhost.localdomain"},
		{"--ip", "10.0.0.1"},
		{"--ip", "127.0.0.1"},
		{"--ip", "fe80::1"},
		{"--ip", "192.0.2.1/24"},
		{"--selector", "../x"},
		{"--selector", "a\nb"},
		{"--key-bits", "512"},
		{"--dns", "cloud"},
		{"--ttl", "-1"},
		{"--root-alias", "|/bin/sh"},
		{"--root-alias", "ann@lab.example, eve@evil.example"},
		{"--spf-include", "x all"},
		{"--dmarc", "none; rua=mailto:eve@evil.example"},
		{"--rua", "mailto:a@lab.example;p=none"},
	} {
		if !lab.TakesTurn(i, release) {
			continue
		}
		out, said := product(t, b, 2, "init", "--yes", "--domain", "lab.example", "--ip", "192.0.2.10", flag[0], flag[1])
		if n := strings.Count(said, "mailsetup: "); n != 1 || strings.Count(said, "\n") != 2 || !strings.Contains(said, "\nhint: ") || out != "" {
			t.Errorf("%s %q: want one line and a hint, got\n%s%s", flag[0], flag[1], out, said)
		}
	}
}

// nobody may look but not touch.
func nobody(t *testing.T, b *lab.Box) {
	t.Helper()
	as := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "mailsetup"}
	_, said, code := b.Exec(t.Context(), nil, append(as, initArgs()...)...)
	if code != 1 {
		t.Errorf("as nobody: exit %d", code)
	}
	says(t, said, "needs root", "hint: sudo mailsetup init --yes")
	out, said, code := b.Exec(t.Context(), nil, append(as, initArgs("--dry-run", "--exit-code")...)...)
	if code != 3 {
		t.Errorf("a look as nobody: exit %d\n%s", code, said)
	}
	says(t, out, "postfix", "smtpd_milters", "v=DMARC1; p=none")
}

// twoAtOnce: while somebody looks at a plan, a second run says who it is.
func twoAtOnce(t *testing.T, b *lab.Box) {
	t.Helper()
	term := openTerminal(t, b)
	term.begins(t, "mailsetup init")
	term.sees(t, "question 1 of 7")
	pid := strings.TrimSpace(b.Run(t, "pidof", "mailsetup"))
	_, said := product(t, b, 1, initArgs()...)
	says(t, said, pid, "hint:")
	term.types(t, "C-c")
	term.sees(t, "exit=130\n")
}

// TestBadMachine: what the machine lacks is said, and everything is as before.
func TestBadMachine(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		b.Sh(t, "mkdir -p /etc/opendkim /var/lib/mailsetup; chmod 700 /var/lib/mailsetup")
		was := look(t, b)
		for _, c := range []struct {
			name, before, after string
			want                []string
		}{
			{
				"no room for the tables",
				"mount -t tmpfs -o size=4k,mode=755 tmpfs /etc/opendkim; head -c 4096 /dev/zero >/etc/opendkim/full",
				"test \"$(ls -A /etc/opendkim)\" = full; umount /etc/opendkim",
				[]string{"/etc/opendkim", "no space left on device"},
			},
			{
				"no room for the journal",
				"mount -t tmpfs -o size=4k,mode=700 tmpfs /var/lib/mailsetup; head -c 4096 /dev/zero >/var/lib/mailsetup/full",
				"umount /var/lib/mailsetup",
				[]string{"/var/lib/mailsetup", "no space left on device"},
			},
			{
				"the journal fills up half-way",
				"mount -t tmpfs -o size=340k,mode=700 tmpfs /var/lib/mailsetup",
				"umount /var/lib/mailsetup",
				[]string{"/var/lib/mailsetup", "no space left on device", "everything was put back"},
			},
			{
				"/etc cannot be written",
				"mount --bind /etc /etc; mount -o remount,bind,ro /etc",
				"umount -l /etc", // a daemon may have something of it open
				[]string{"/etc/", "read-only file system"},
			},
			{
				"no systemd",
				"mount -t tmpfs tmpfs /run/systemd",
				"umount -l /run/systemd",
				[]string{"systemd is not running", "hint:"},
			},
			{
				"no way to systemd",
				"mount --bind /dev/null /run/systemd/private; mount -t tmpfs tmpfs /run/dbus",
				"umount -l /run/systemd/private /run/dbus",
				[]string{"systemd"},
			},
		} {
			b.Sh(t, c.before)
			_, said := product(t, b, 1, initArgs()...)
			b.Sh(t, c.after)
			for _, w := range c.want {
				if !strings.Contains(said, w) {
					t.Errorf("%s: nothing about %q in:\n%s", c.name, w, said)
				}
			}
			asBefore(t, b, was)
			if t.Failed() {
				t.Fatalf("after: %s\n%s", c.name, said)
			}
		}
		product(t, b, 0, initArgs()...)
	})
}
