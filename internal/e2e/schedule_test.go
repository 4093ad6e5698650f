//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// scheduleFiles are what make install needs beside the program.
func scheduleFiles() []string {
	return append([]string{
		"Makefile", "docs/mailsetup.8", "schedule/mailsetup-rotate.service", "schedule/mailsetup-rotate.timer", "schedule/mailsetup.cron", "schedule/mailsetup-check.service", "schedule/mailsetup-check.timer",
		"internal/completion/mailsetup.bash", "internal/completion/mailsetup.zsh", "internal/completion/mailsetup.fish",
	}, hooks()...)
}

// maker runs make in a copy of those files, with a program that is built already.
func maker(t *testing.T) func(args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range scheduleFiles() {
		text := must(os.ReadFile(filepath.Join("../..", name)))
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mailsetup"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command("make", append([]string{"--no-print-directory"}, args...)...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH")} // not what a make above this test says
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("make %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
}

// makes runs in the box what make would run there for a target: the box has no
// make.
func makes(t *testing.T, b *lab.Box, target string) string {
	t.Helper()
	script := maker(t)("-n", target)
	for _, name := range scheduleFiles() {
		b.Write(t, "/root/source/"+name, string(must(os.ReadFile(filepath.Join("../..", name)))), 0o644)
	}
	b.Sh(t, "cp /usr/local/bin/mailsetup /root/source/")
	return b.Run(t, "bash", "-euc", "cd /root/source\nexec 2>&1\n"+script)
}

// TestStaging: make install with DESTDIR touches nothing else, and systemd finds
// the units whatever PREFIX is.
func TestStaging(t *testing.T) {
	run := maker(t)
	for prefix, units := range map[string]string{
		"/usr": "/usr/lib/systemd/system/", "/usr/local": "/usr/local/lib/systemd/system/", "/opt/mail": "/etc/systemd/system/",
	} {
		dest := t.TempDir()
		run("install", "DESTDIR="+dest, "PREFIX="+prefix)
		want := map[string]string{
			prefix + "/bin/mailsetup": "", prefix + "/share/man/man8/mailsetup.8": "",
			units + "mailsetup-rotate.timer": "OnCalendar=hourly", units + "mailsetup-rotate.service": "ExecStart=" + prefix + "/bin/mailsetup rotate-dkim --yes\n",
			units + "mailsetup-check.timer": "OnCalendar=daily", units + "mailsetup-check.service": "ExecStart=" + prefix + "/bin/mailsetup check --changed --mail\n",
			prefix + "/share/bash-completion/completions/mailsetup": "\n_mailsetup() {\n", prefix + "/share/fish/vendor_completions.d/mailsetup.fish": "complete -c mailsetup ",
			prefix + "/share/zsh/" + map[bool]string{true: "vendor-completions", false: "site-functions"}[prefix == "/usr"] + "/_mailsetup": "#compdef mailsetup\n",
			"/etc/cron.d/mailsetup": " " + prefix + "/bin/mailsetup rotate-dkim --yes\n",
		}
		for _, name := range hooks() {
			want[prefix+"/lib/mailsetup/hooks/"+filepath.Base(name)] = "mailsetup"
		}
		for name, text := range want {
			if got, err := os.ReadFile(filepath.Join(dest, name)); err != nil || !strings.Contains(string(got), text) {
				t.Errorf("%s: %v, no %q in\n%s", name, err, text, got)
			}
		}
		files := strings.Fields(string(must(exec.Command("find", dest, "-type", "f").Output())))
		if len(files) != len(want) {
			t.Errorf("PREFIX=%s: %q", prefix, files)
		}
		own := filepath.Join(dest, prefix, "lib/mailsetup/lexicon") // as docs/dns.md has it
		if err := os.WriteFile(own, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		run("uninstall", "DESTDIR="+dest, "PREFIX="+prefix)
		if left := must(exec.Command("find", dest, "-type", "f").Output()); string(left) != own+"\n" {
			t.Errorf("PREFIX=%s: left are %s", prefix, left)
		}
	}
}

// cron runs our line of /etc/cron.d as cron does.
func cron(t *testing.T, b *lab.Box) (said string, code int) {
	t.Helper()
	for line := range strings.Lines(b.Read(t, "/etc/cron.d/mailsetup")) {
		if f := strings.Fields(line); len(f) > 6 && f[5] == "root" {
			command := strings.SplitN(line, " root ", 2)[1]
			out, err, code := b.Exec(t.Context(), nil, "env", "-i", "HOME=/root", "LOGNAME=root", "SHELL=/bin/sh",
				"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh", "-c", command)
			return out + err, code
		}
	}
	t.Fatal("no line for root in the file of cron")
	return "", 0
}

// tick starts the service, waits for its end and returns what its journal says.
func tick(t *testing.T, b *lab.Box, result, status string) string {
	t.Helper()
	b.Run(t, "systemctl", "reset-failed", "mailsetup-rotate.service") // and its StartLimitBurst, systemd.unit(5)
	_, _, code := b.Exec(t.Context(), nil, "systemctl", "start", "mailsetup-rotate.service")
	log := tickSaid(t, b, status != "0", "")
	if got := strings.Join(strings.Fields(b.Run(t, "systemctl", "show", "-p", "Result", "-p", "ExecMainStatus", "mailsetup-rotate.service")), " "); got != "Result="+result+" ExecMainStatus="+status && got != "ExecMainStatus="+status+" Result="+result {
		t.Fatalf("systemctl start: exit %d, %s, want %s and %s\n%s", code, got, result, status, log)
	}
	return log
}

// tickSaid is what the journal has of the last tick, or what of that matches. What
// a service says may come there some time after its end, and then without its
// invocation, which journald reads from a cgroup that is gone.
func tickSaid(t *testing.T, b *lab.Box, something bool, match string) string {
	t.Helper()
	log, last := "", "nothing yet"
	for range 50 {
		log = b.Sh(t, `unit=mailsetup-rotate.service
journalctl --sync
journalctl -q --no-pager -o cat `+match+` "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID $unit)" + `+match+` "_PID=$(systemctl show -P ExecMainPID $unit)"`)
		if log == last && (log != "" || !something) {
			break
		}
		last = log
		time.Sleep(200 * time.Millisecond)
	}
	return log
}

// TestSchedule: after make install the timer runs, its hardened service does all
// that a rotation needs, cron takes its place, what waits for the administrator
// comes by mail, and so does a failure.
func TestSchedule(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		oneBoot(t, b)
		installed(t, b)
		product(t, b, 0, initArgs("--ttl", "60", "--notify", "bob@remote.example")...)
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "--dns", "manual", "shop.example")
		b.Sh(t, "cp /etc/bind/db.shop.example /root/empty")
		publishes(t, b, "2026010102")
		quick(t, b, "1s")
		old := map[string]string{"lab.example": selectorOf(t, b, "lab.example"), "shop.example": selectorOf(t, b, "shop.example")}
		time.Sleep(time.Second) // now they are old

		log := tick(t, b, "success", "3")
		at := keysAt(t, b, "shop.example")["publishing"]
		if len(at) != 1 {
			t.Fatalf("keys: %v\n%s", at, log)
		}
		record := at[0] + "._domainkey  TXT   v=DKIM1; h=sha256; k=rsa; p=MII"
		says(t, log, "shop.example: publish this record; ", "\n"+record)
		quick(t, b, "180d")
		b.Sh(t, `sed -i 's/^drain = .*/drain = "14d"/' /etc/mailsetup/host.toml`) // until it is asked for
		if out, said := product(t, b, 0, "rotate-dkim", "--yes"); out+said != "" {
			t.Errorf("told again the same day:\n%s%s", out, said)
		}
		paste(t, b, letter(t, b, sink, 1), record)
		if said, code := cron(t, b); said != "" || code == 0 {
			t.Errorf("cron, with the timer: exit %d\n%s", code, said)
		}
		b.Run(t, "systemctl", "disable", "--now", "mailsetup-rotate.timer")
		says(t, makes(t, b, "install"), "stays as you left it")
		if said, code := cron(t, b); code != 0 {
			t.Errorf("cron, without the timer: exit %d\n%s", code, said)
		}
		b.Run(t, "systemctl", "enable", "--now", "mailsetup-rotate.timer")
		if at := keysAt(t, b, "shop.example"); len(at["published"]) != 1 || selectorOf(t, b, "shop.example") != old["shop.example"] {
			t.Fatalf("cron did no tick, or a step too early: %v", at)
		}

		laterBy(t, b, shortWait+2*time.Second)
		bothAtOnce(t, b)
		if now := selectorOf(t, b, "lab.example"); now == old["lab.example"] {
			t.Errorf("%s still signs\n%s", now, b.Run(t, "mailsetup", "status"))
		}
		signsWith(t, b, sink, at[0])
		switched := lastRun(t, b)
		undoes(t, b)
		failsAloud(t, b, sink)
		withdrawnByHand(t, b, sink, old, switched)
		noLeak(t, b)
		makes(t, b, "uninstall")
		if left := b.Sh(t, "find / -xdev -path /root -prune -o -path '/*/mailsetup-rotate*' -print; systemctl list-timers -q --all mailsetup-rotate.timer"); left != "" {
			t.Errorf("left by make uninstall:\n%s", left)
		}
	})
}

// oneBoot gives the box the boot ID of its host. That of its own, which
// systemd-nspawn mounts there, Debian 12 hides from the service, and the time that
// passed for a run by hand would not count for it.
func oneBoot(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "while umount /proc/sys/kernel/random/boot_id 2>/dev/null; do :; done")
}

// installed insists that make install is all there is to do.
func installed(t *testing.T, b *lab.Box) {
	t.Helper()
	makes(t, b, "install")
	b.Run(t, "systemctl", "is-enabled", "mailsetup-rotate.timer")
	b.Run(t, "systemctl", "is-active", "mailsetup-rotate.timer")
	if next := b.Run(t, "systemctl", "show", "-P", "NextElapseUSecRealtime", "mailsetup-rotate.timer"); !strings.Contains(next, ":") {
		t.Errorf("the timer elapses %q", next)
	}
	if said := b.Sh(t, "systemd-analyze verify --man=no /usr/local/lib/systemd/system/mailsetup-rotate.* 2>&1"); said != "" {
		t.Errorf("systemd-analyze verify:\n%s", said)
	}
	exposure := b.Sh(t, "systemd-analyze security --no-pager mailsetup-rotate.service | tail -n 1")
	t.Log(strings.TrimSpace(exposure))
	if m := regexp.MustCompile(`[0-9]+\.[0-9]`).FindString(exposure); m == "" || must(strconv.ParseFloat(m, 64)) > 3.5 {
		t.Errorf("systemd-analyze security: %s", exposure)
	}
	// Nothing is set up yet.
	b.Run(t, "systemctl", "start", "mailsetup-rotate.service")
	if said, _ := cron(t, b); said != "" {
		t.Errorf("cron, before anything is set up:\n%s", said)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// letter waits for the mail to the administrator: the nth that arrives.
func letter(t *testing.T, b *lab.Box, sink *lab.Sink, n int) string {
	t.Helper()
	msg := sink.Wait(t, n, 90*time.Second)[n-1]
	if len(msg.To) != 1 || msg.To[0] != "bob@remote.example" {
		t.Errorf("the letter went to %v", msg.To)
	}
	signed(t, b, msg.Data)
	text := strings.ReplaceAll(string(msg.Data), "\r\n", "\n")
	says(t, text, "\nAuto-Submitted: auto-generated\n", "\nFrom: mailsetup <root@mail.lab.example>\n", "\nTo: <bob@remote.example>\n")
	saysNot(t, text, "PRIVATE KEY")
	return text
}

// paste puts into the zone what a letter says to put there.
func paste(t *testing.T, b *lab.Box, text, record string) {
	t.Helper()
	says(t, text, "\nSubject: mail.lab.example: publish a DKIM record\n", "\nshop.example:\n", "\n"+record)
	_, zone, found := strings.Cut(text, "The same as text of a zone file:\n\n")
	zone, _, ends := strings.Cut(zone, " )\n")
	if !found || !ends {
		t.Fatalf("no zone text in the letter:\n%s", text)
	}
	b.Write(t, "/etc/bind/db.shop.example", b.Read(t, "/etc/bind/db.shop.example")+zone+" )\n", 0o644)
	b.Sh(t, "sed -i 's/2026010102/2026010103/' /etc/bind/db.shop.example")
	reload(t, b, "shop.example")
	b.Run(t, "rndc", "flush")
}

// bothAtOnce starts the service and a run by hand at the same time: one of them
// takes the step, the other one waits and has nothing to say.
func bothAtOnce(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Run(t, "systemctl", "start", "--no-block", "mailsetup-rotate.service")
	out, said := product(t, b, 0, "rotate-dkim", "--yes")
	b.Sh(t, "while systemctl is-active mailsetup-rotate.service | grep -qx activating; do sleep 0.1; done")
	if got := b.Run(t, "systemctl", "show", "-P", "Result", "mailsetup-rotate.service"); got != "success\n" {
		t.Errorf("the service beside a run by hand: %s", got)
	}
	const step = "OpenDKIM: reload opendkim.service"
	byHand := strings.Contains(said, step)
	log := tickSaid(t, b, !byHand, "_COMM=mailsetup")
	byService := strings.Contains(log, step)
	if byHand == byService || byHand && log != "" || byService && out+said != "" {
		t.Errorf("by hand:\n%s%s\nthe service:\n%s", out, said, log)
	}
}

// signsWith insists on the key of shop.example.
func signsWith(t *testing.T, b *lab.Box, sink *lab.Sink, selector string) {
	t.Helper()
	if by := leavesSignedBy(t, b, sink, "shop.example"); by != selector {
		t.Errorf("%s signs for shop.example, want %s\n%s", by, selector, b.Run(t, "mailsetup", "status"))
	}
}

// publishes gives shop.example the zone that it had, under another serial, and
// what is printed for it at the moment.
func publishes(t *testing.T, b *lab.Box, serial string) {
	t.Helper()
	b.Sh(t, `{ cat /root/empty; mailsetup dns --format zone shop.example; } | sed s/2026010101/`+serial+`/ >/etc/bind/db.shop.example`)
	reload(t, b, "shop.example")
}

// withdrawnByHand ends the drain of the old keys. The record of the one goes by
// itself, that of the other the administrator takes out: it cannot sign again
// then, until that is back.
func withdrawnByHand(t *testing.T, b *lab.Box, sink *lab.Sink, old map[string]string, switched string) {
	t.Helper()
	id := func(run string) string { return strings.Fields(run)[0] }
	gone, now, had := old["shop.example"], selectorOf(t, b, "shop.example"), sink.Count()
	b.Sh(t, `sed -i 's/^drain = .*/drain = "2s"/' /etc/mailsetup/host.toml`)
	out, _ := product(t, b, 3, "rotate-dkim", "--yes")
	says(t, out, "take this record out of the DNS of shop.example", gone+"._domainkey.shop.example. TXT")
	says(t, letter(t, b, sink, had+1), "\nSubject: mail.lab.example: left for you by mailsetup rotate-dkim\n", gone+"._domainkey.shop.example. TXT")
	if is := keyRecord(t, b, old["lab.example"], "lab.example"); is != "" {
		t.Errorf("the record of %s is there: %s", old["lab.example"], is)
	}
	was := b.Read(t, "/etc/bind/db.shop.example")
	publishes(t, b, "2026010104")
	if is := keyRecord(t, b, gone, "shop.example"); is != "" {
		t.Fatalf("the record of %s is there: %s", gone, is)
	}
	product(t, b, 0, "rollback", "--yes", id(lastRun(t, b)))
	_, said := product(t, b, 1, "rollback", "--yes", id(switched))
	says(t, strings.Join(strings.Fields(said), " "), gone+" would sign for shop.example again, and no message would verify: mail.shop.example (192.0.2.10): missing",
		"hint: publish it again: "+gone+"._domainkey.shop.example TXT v=DKIM1; h=sha256; k=rsa; p=MII")
	if is := selectorOf(t, b, "shop.example"); is != now {
		t.Errorf("%s signs", is)
	}
	b.Write(t, "/etc/bind/db.shop.example", strings.Replace(was, "2026010103", "2026010105", 1), 0o644)
	reload(t, b, "shop.example")
	product(t, b, 0, "rollback", "--yes", id(switched))
	for d, selector := range old {
		if is := selectorOf(t, b, d); is != selector {
			t.Errorf("%s signs for %s, want %s", is, d, selector)
		}
	}
	signsWith(t, b, sink, gone)
}

// undoes insists that the service may do what only a run needs that takes back
// an interrupted init: look for old mail sessions, and make the socket's
// directory anew.
func undoes(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Write(t, "/root/undo", `set -eu
readlink /proc/$(pgrep -x qmgr)/ns/pid
ss -Htlnp 'sport = 53' | grep -o '"named"'
install -d -o opendkim -g postfix -m 2750 /var/spool/postfix/lab
stat -c %a /var/spool/postfix/lab
rmdir /var/spool/postfix/lab
touch /etc/systemd/system/lab
rm /etc/systemd/system/lab
`, 0o644)
	dropIn(t, b, "mailsetup-rotate.service", "ExecStart=\nExecStart=/bin/sh /root/undo")
	says(t, tick(t, b, "success", "0"), "pid:[", `"named"`, "\n2750\n")
	undrop(t, b, "mailsetup-rotate.service")
}

// failsAloud: the unit fails, its journal says why in a line, and a letter does.
func failsAloud(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	every := func(span, file string) {
		b.Sh(t, `sed -i 's/^rotate_every = .*/rotate_every = "`+span+`"/' /etc/mailsetup/`+file)
	}
	every("1s", "host.toml")
	every("never", "domains.d/shop.example.toml")
	dropIn(t, b, "named.service", `ExecReload=
ExecReload=/bin/sh -c "! rm /run/lab-fails 2>/dev/null && rndc reload"`)
	mend := rndcFails(t, b, "[ -e /run/lab-fails ]")
	had := sink.Count()
	b.Sh(t, "touch /run/lab-fails")
	log := tick(t, b, "exit-code", "1")
	b.Run(t, "systemctl", "is-failed", "mailsetup-rotate.service")
	line := regexp.MustCompile(`(?m)^lab\.example: .* goes on signing: .*named\.service.*$`).FindString(log)
	if line == "" {
		t.Errorf("the journal does not say why:\n%s", log)
	}
	b.Sh(t, "touch /run/lab-fails")
	tick(t, b, "exit-code", "1")
	text := letter(t, b, sink, had+1)
	says(t, text, "\nSubject: mail.lab.example: mailsetup rotate-dkim failed\n", "\n"+line+"\n")
	undrop(t, b, "named.service")
	mend()
	b.Sh(t, "cp -p /etc/bind/db.lab.example /root/; echo nonsense >>/etc/bind/db.lab.example")
	log = tick(t, b, "exit-code", "1")
	if !regexp.MustCompile(`(?m)^lab\.example: .* goes on signing: zone lab\.example.*: .`).MatchString(log) {
		t.Errorf("nothing about the zone in\n%s", log)
	}
	b.Sh(t, "cp -p /root/db.lab.example /etc/bind/")
	every("180d", "host.toml")
	tick(t, b, "success", "0")
	if n := sink.Count(); n != had+1 {
		t.Errorf("%d letters of failures in a day", n-had)
	}
}
