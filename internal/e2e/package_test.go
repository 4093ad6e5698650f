//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// aptGet runs apt-get without a question, and returns what it and dpkg said.
func aptGet(t *testing.T, b *lab.Box, args ...string) string {
	t.Helper()
	script := `export DEBIAN_FRONTEND=noninteractive; cd /root; apt-get -y -q -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1`
	return b.Run(t, append([]string{"sh", "-euc", script, "sh"}, args...)...)
}

// unpackaged boots a Debian without any mail package and without mailsetup.
func unpackaged(t *testing.T, release string) *lab.Box {
	t.Helper()
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare})
	b.Named(t, lab.Origin)
	b.Sh(t, "useradd -m ann")
	return b
}

// TestPackage: from a bare Debian to signed mail with apt, a later version, and mail
// that leaves signed whatever becomes of the package.
func TestPackage(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := unpackaged(t, release)
		sink := b.Sink(t)
		older, newer := b.Deb(t, "v0.1.0"), b.Deb(t, "v0.2.0-3-g0123abc")
		said := aptGet(t, b, "install", "."+strings.TrimPrefix(older, "/root"))
		saysNot(t, said, "mailsetup:", "N:", "W:", "warning")
		saysNot(t, b.Run(t, "dpkg-query", "-W", "-f", "${Package}\n"), "opendkim", "postfix")
		ticks(t, b)
		product(t, b, 0, initArgs("--ttl", "60", "--dmarc", "quarantine", "--spf-include", "remote.example")...)
		selector := leavesSignedBy(t, b, sink, lab.Origin)
		run := strings.Fields(lastRun(t, b))[0]
		tabs(t, b, "bash", "--rcfile", "/usr/share/bash-completion/completions/mailsetup", "-i", "--", "mailsetup sta", "tus ",
			"mailsetup init --spf-all=s", "oftfail ", "mailsetup remove-domain --yes l", "ab.example ", "mailsetup rollback "+run[:9], run[9:]+" ",
			"mailsetup init --selector "+selector[:3], selector[3:]+" ", "mailsetup add-domain --from-file /etc/hostn", "ame ")

		b.Sh(t, "echo '# mine' >>/etc/mailsetup/host.toml; sed -i s/^17/27/ /etc/cron.d/mailsetup; systemctl enable -q mailsetup-check.timer")
		settings := b.Snapshot(t, "/etc/mailsetup", "/etc/cron.d/mailsetup", "/etc/opendkim", "/etc/dkimkeys", "/var/lib/mailsetup")
		daemons := invocations(t, b)
		said = aptGet(t, b, "install", newer)
		saysNot(t, said, "mailsetup:", "warning", "Configuration file")
		same(t, settings, b.Snapshot(t, "/etc/mailsetup", "/etc/cron.d/mailsetup", "/etc/opendkim", "/etc/dkimkeys", "/var/lib/mailsetup"))
		if is := invocations(t, b); is != daemons {
			t.Errorf("the upgrade touched daemons:\n%s\nbefore:\n%s", is, daemons)
		}
		says(t, b.Run(t, "mailsetup", "version"), "v0.2.0-3-g0123abc")
		says(t, b.Run(t, "dpkg-query", "-W", "mailsetup"), "0.2.0+3.g0123abc-1")
		b.Run(t, "systemctl", "is-active", "mailsetup-check.timer")
		ticks(t, b)
		nothingChanges(t, b, "init", "--yes")
		b.Sh(t, "sed -i s/^27/17/ /etc/cron.d/mailsetup")

		says(t, aptGet(t, b, "remove", "mailsetup"), "mail goes on leaving")
		leavesSignedBy(t, b, sink, lab.Origin)
		keys := b.Snapshot(t, "/etc/dkimkeys")
		said = aptGet(t, b, "purge", "mailsetup")
		says(t, said, "removing /etc/mailsetup", "nothing can be rolled back any more", "mailsetup adopt takes over",
			"private keys stay, since MAILSETUP_PURGE_KEYS=yes was not in the environment", "  /etc/dkimkeys/lab.example/"+selector+".private\n")
		saysNot(t, said, "warning")
		same(t, keys, b.Snapshot(t, "/etc/dkimkeys"))
		if left := b.Sh(t, "find / -xdev -path '/root' -prune -o -path '*/sys/kernel/*' -prune -o -name '*mailsetup*' -print | grep -v -e ^/var/lib/dpkg -e ^/var/log -e ^/var/cache | sort"); left != ourTraces {
			t.Errorf("left by purge:\n%s", left)
		}
		b.Reboot(t)
		if is := leavesSignedBy(t, b, sink, lab.Origin); is != selector {
			t.Errorf("%s signs after the purge, want %s", is, selector)
		}

		aptGet(t, b, "install", newer)
		out, _ := product(t, b, 0, "adopt", "--yes", "--root-alias", "ann@mail.lab.example")
		says(t, out, "lab.example signs mail of ")
		if is := leavesSignedBy(t, b, sink, lab.Origin); is != selector {
			t.Errorf("%s signs after adopt, want %s", is, selector)
		}
		nothingChanges(t, b, "init", "--yes")
		ticks(t, b)
	})
}

// tabs types into a shell, see testdata/tab.py.
func tabs(t *testing.T, b *lab.Box, args ...string) {
	t.Helper()
	b.Write(t, "/root/tab.py", string(must(os.ReadFile("testdata/tab.py"))), 0o644)
	b.Run(t, append([]string{"python3", "/root/tab.py"}, args...)...)
}

// ourTraces are the files of other programs that keep mail flowing once the package is gone.
const ourTraces = `/etc/bind/mailsetup
/etc/tmpfiles.d/mailsetup.conf
`

// ticks insists that the timer of the package runs, and that its service may do what it is to do.
func ticks(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Run(t, "systemctl", "is-enabled", "mailsetup-rotate.timer")
	b.Run(t, "systemctl", "is-active", "mailsetup-rotate.timer")
	says(t, b.Run(t, "systemctl", "show", "-P", "ExecStart", "mailsetup-rotate.service"), "path=/usr/bin/mailsetup ")
	tick(t, b, "success", "0")
}

// TestDebIsReproducible: the same source gives the same bytes, wherever and by whomever.
func TestDebIsReproducible(t *testing.T) {
	t.Parallel()
	first := must(os.ReadFile(must(lab.Deb("v0.1.0"))))
	dir := t.TempDir()
	time.Sleep(time.Second) // files have other times
	if again := must(os.ReadFile(must(lab.MakeDeb("../..", "v0.1.0", filepath.Join(dir, "elsewhere"), "077")))); string(again) != string(first) {
		t.Errorf("%d and %d bytes, which differ", len(first), len(again))
	}
}

// TestDebVersions: what comes later in git has a greater version for Debian.
func TestDebVersions(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "packaging")
	if out, err := exec.Command("go", "build", "-C", "../../packaging", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before := ""
	for _, v := range []struct{ described, want string }{
		{"c81be984", "0~20261130170856.c81be984"},
		{"c81be984-dirty", "0~20261130170856.c81be984+dirty"},
		{"v1.0.0-rc1", "1.0.0~rc1"},
		{"v1.0.0-rc1-4-gc81be984", "1.0.0~rc1+4.gc81be984"},
		{"v1.0.0", "1.0.0"},
		{"v1.0.0-dirty", "1.0.0+dirty"},
		{"v1.2.3-4-gc81be984", "1.2.3+4.gc81be984"},
		{"v1.2.3-4-gc81be984-dirty", "1.2.3+4.gc81be984+dirty"},
	} {
		is := strings.TrimSpace(string(must(exec.Command(program, "-version", v.described, "-time", "1796058536").Output())))
		if is != v.want {
			t.Errorf("%s: %s, want %s", v.described, is, v.want)
		}
		if exec.Command("dpkg", "--compare-versions", is+"-1", "gt", before).Run() != nil {
			t.Errorf("%s is not greater than %s", is, before)
		}
		before = is + "-1"
	}
}

// TestSoakPackage: presets, an earlier make install, keys that are purged; what lintian
// says of the package, and what Tab does in the shells of Debian.
func TestSoakPackage(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := unpackaged(t, release)
		sink := b.Sink(t)
		deb := b.Deb(t, "v0.2.0-3-g0123abc")
		judgedPackage(t, release)

		const preset = "/etc/systemd/system-preset/00-off.preset"
		b.Write(t, preset, "disable mailsetup-*\n", 0o644)
		says(t, aptGet(t, b, "install", deb), "mailsetup: mailsetup-rotate.timer stays disabled, as a preset of this system says")
		product(t, b, 0, initArgs("--ttl", "60")...)
		_, said := product(t, b, 0, "status")
		says(t, strings.Join(strings.Fields(said), " "), "mailsetup-rotate.timer is disabled, by a preset of this system or by somebody, and cron does not do its work: nobody looks whether a key is due")
		b.Sh(t, hintIn(t, said, "systemctl enable --now mailsetup-rotate.timer"))
		saysNot(t, tickless(t, b), "timer")
		b.Sh(t, "systemctl stop mailsetup-rotate.timer")
		b.Sh(t, hintIn(t, tickless(t, b), "systemctl start mailsetup-rotate.timer"))
		b.Sh(t, "systemctl disable -q --now mailsetup-rotate.timer; systemctl mask -q mailsetup-rotate.timer")
		b.Sh(t, hintIn(t, tickless(t, b), "systemctl unmask mailsetup-rotate.timer && systemctl enable --now mailsetup-rotate.timer"))
		ticks(t, b)
		b.Sh(t, "rm "+preset)

		// Keys of a domain that was removed do not sign.
		product(t, b, 0, "add-domain", "--yes", "--dns", "manual", "shop.example")
		product(t, b, 0, "remove-domain", "--yes", "shop.example")
		selector := leavesSignedBy(t, b, sink, lab.Origin)
		old := selectorIn(t, b, "shop.example")
		// Nor those of exim4; what its table names stays.
		b.Sh(t, `cd /etc && mkdir -p exim4/dkim/old.example exim4/dkim/lab.example && touch exim4/dkim/old.example/o.private exim4/dkim/lab.example/n.private
echo 'lab.example: lab.example n /etc/exim4/dkim/lab.example/n.private' >exim4/mailsetup.dkim
printf '{\n"keys": [\n{\n"file": "/etc/exim4/dkim/old.example/o.private"\n},\n{\n"file": "/etc/exim4/dkim/lab.example/n.private"\n}\n]\n}\n' >/var/lib/mailsetup/keyring/old.example.json`)
		said = b.Sh(t, "MAILSETUP_PURGE_KEYS=yes DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 purge mailsetup")
		says(t, said, "mailsetup: removing /etc/dkimkeys/shop.example/"+old+".private\n", "mailsetup: /etc/dkimkeys/lab.example/"+selector+".private stays: it signs, and mail would wait")
		if b.Exists("/etc/dkimkeys/shop.example") || !b.Exists("/etc/dkimkeys/lab.example/"+selector+".private") {
			t.Errorf("keys after the purge:\n%s", b.Sh(t, "find /etc/dkimkeys"))
		}
		if b.Exists("/etc/exim4/dkim/old.example") || !b.Exists("/etc/exim4/dkim/lab.example/n.private") {
			t.Errorf("keys of exim4 after the purge:\n%s", b.Sh(t, "find /etc/exim4"))
		}
		b.Sh(t, "rm -r /etc/exim4")
		leavesSignedBy(t, b, sink, lab.Origin)

		// make install came first.
		b.Install(t)
		makes(t, b, "install")
		said = aptGet(t, b, "install", deb)
		saysNot(t, said, "Configuration file")
		says(t, said, "an earlier \"make install\" hides this package", "  /usr/local/bin/mailsetup\n")
		product(t, b, 0, "adopt", "--yes", "--root-alias", "ann@mail.lab.example", "--domain", "lab.example")
		said = strings.Join(strings.Fields(tickless(t, b)), " ")
		says(t, said, "an earlier make install hides the package: its timer starts /usr/local/bin/mailsetup")
		_, typed, _ := strings.Cut(said, "hint: ")
		b.Sh(t, typed)
		if saysNot(t, tickless(t, b), "make install"); strings.TrimSpace(b.Sh(t, "command -v mailsetup")) != "/usr/bin/mailsetup" {
			t.Error("the earlier mailsetup is still there")
		}
		ticks(t, b)
	})
}

// tickless is what status says of the schedule.
func tickless(t *testing.T, b *lab.Box) string {
	t.Helper()
	_, said := product(t, b, 0, "status")
	return said
}

// hintIn returns a hint as it was printed.
func hintIn(t *testing.T, said, command string) string {
	t.Helper()
	says(t, strings.Join(strings.Fields(said), " "), "hint: "+command)
	return command
}

// selectorIn is the selector of the one key that a domain has in /etc/dkimkeys.
func selectorIn(t *testing.T, b *lab.Box, domain string) string {
	t.Helper()
	return strings.TrimSpace(b.Sh(t, "cd /etc/dkimkeys/"+domain+"; ls *.private | sed s/.private//"))
}

// judgedPackage has lintian look at the package, and Tab pressed in each shell.
func judgedPackage(t *testing.T, release string) {
	t.Helper()
	dir := t.TempDir()
	for name, from := range map[string]string{"x.deb": must(lab.Deb("v0.2.0-3-g0123abc")), "tab.py": "testdata/tab.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), must(os.ReadFile(from)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	typed := ` -- 'mailsetup sta' 'tus ' 'mailsetup init --spf-all sof' 'tfail' 'mailsetup remove-domain l' 'ab.example' 'mailsetup init --dns=ma' 'nual' 'mailsetup dns --root /us' 'r/'
`
	said, err := lab.Judged(t.Context(), release, dir, `cd /root/given
lintian --fail-on error --allow-root x.deb
dpkg -i x.deb
mkdir -p /etc/mailsetup/domains.d; touch /etc/mailsetup/domains.d/lab.example.toml
export HOME=/root
echo 'autoload -U compinit; compinit -u' >/root/.zshrc
python3 tab.py bash --rcfile /usr/share/bash-completion/bash_completion -i`+typed+"python3 tab.py zsh -i"+typed+"python3 tab.py fish -i"+typed)
	if err != nil || strings.Count(said, "seen\n") != 3 {
		t.Errorf("%v\n%s", err, said)
	}
}
