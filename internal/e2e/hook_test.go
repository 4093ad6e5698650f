//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

const hookDir = "/usr/lib/mailsetup/hooks/"

// hooks are the files of those that come with mailsetup.
func hooks() []string {
	var names []string
	for _, name := range must(filepath.Glob("../../contrib/hooks/*")) {
		if fi, err := os.Stat(name); err == nil && fi.Mode().IsRegular() {
			names = append(names, strings.TrimPrefix(name, "../../"))
		}
	}
	return names
}

// withHooks puts the hooks and the unit of the timer there as make install does.
func withHooks(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, name := range hooks() {
		b.Write(t, hookDir+filepath.Base(name), string(must(os.ReadFile("../../"+name))), 0o755)
	}
	unit := strings.ReplaceAll(string(must(os.ReadFile("../../schedule/mailsetup-rotate.service"))), "@BIN@", "/usr/local/bin")
	b.Write(t, "/etc/systemd/system/mailsetup-rotate.service", unit, 0o644)
	b.Write(t, "/etc/systemd/system/mailsetup-rotate.timer", "[Timer]\nOnCalendar=2100-01-01\n", 0o644)
	// The timer keeps the unit loaded.
	b.Sh(t, "systemctl daemon-reload; systemctl start mailsetup-rotate.timer; mkdir -p -m 700 /etc/mailsetup/hooks")
	oneBoot(t, b)
}

func hookArgs(hook string, more ...string) []string {
	return initArgs(append([]string{"--dns", "hook", "--dns-hook", hook}, more...)...)
}

// TestHook: a program changes the records, in a sandbox of its own, and the timer's hardened
// run replaces a key by it. What stands beside our records stays; a rollback takes all of
// ours out. The credential is where it was put, and nowhere else.
func TestHook(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord + "@ IN TXT \"site=1\"\n"}, updatePolicy+" }; allow-transfer { key mailsetup; localhost; ")
		sink := r.Sink(t)
		_, secret, _ := strings.Cut(r.Read(t, updateKey), "secret \"")
		secret, _, _ = strings.Cut(secret, "\"")
		r.Sh(t, "rm "+updateKey)
		withHooks(t, r.Box)
		was, zone := look(t, r.Box), r.zone(t, "lab.example")
		r.troubledHooks(t)
		asBefore(t, r.Box, was)

		const settings = "/etc/mailsetup/hooks/nsupdate"
		r.Write(t, settings, fmt.Sprintf(`{"server": %q, "zones": ["lab.example"], "key": {"name": "mailsetup", "algorithm": "hmac-sha256", "secret": %q}}`, secondary, secret), 0o600)
		out, _ := product(t, r.Box, 0, hookArgs(hookDir+"nsupdate", "--ttl", "60")...)
		says(t, out, "update lab.example. on "+hookDir+"nsupdate", `+ _dmarc.lab.example. 60 TXT "v=DMARC1; p=none`)
		for _, want := range []string{`lab.example. 5 IN TXT "site=1"`, `lab.example. 5 IN TXT "v=spf1 `, `_dmarc.lab.example. 60 IN TXT "v=DMARC1; p=none`, `._domainkey.lab.example. 60 IN TXT "v=DKIM1; `} {
			if n := strings.Count(r.zone(t, "lab.example"), want); n != 1 {
				t.Errorf("%d times %q in the zone:\n%s", n, want, r.zone(t, "lab.example"))
			}
		}
		leavesSigned(t, r.Box, sink)
		product(t, r.Box, 0, "dns", "--wait", "--timeout", "30s")
		nothingChanges(t, r.Box, "init", "--yes")
		const host = "/etc/mailsetup/host.toml"
		toml := r.Read(t, host)
		r.rotatesByHook(t, sink)
		r.Write(t, host, toml, 0o644)

		found := r.Sh(t, "grep -rlsaDskip -F '"+secret+"' /etc /var /run /tmp /root || true; journalctl --no-pager | grep -F '"+secret+"' || true")
		if strings.TrimSpace(found) != settings {
			t.Errorf("the secret of the key is in:\n%s", found)
		}
		for _, run := range historyOf(t, r.Box) {
			id, _, _ := strings.Cut(run, " ")
			if strings.Contains(run, " done ") {
				product(t, r.Box, 0, "rollback", "--yes", id)
			}
		}
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("after the rollback:\n%s\nwant\n%s", is, zone)
		}
	})
}

// rotatesByHook replaces the key of lab.example from its making to the end of the old one.
func (r remote) rotatesByHook(t *testing.T, sink *lab.Sink) {
	t.Helper()
	old := selectorOf(t, r.Box, "lab.example")
	quick(t, r.Box, "1d")
	tick(t, r.Box, "success", "0")
	laterBy(t, r.Box, 25*time.Hour)
	tick(t, r.Box, "success", "0")
	if at := keysAt(t, r.Box, "lab.example"); len(at["published"]) != 1 {
		t.Fatalf("no successor: %v", at)
	}
	quick(t, r.Box, "180d")
	laterBy(t, r.Box, shortWait+5*time.Second)
	tick(t, r.Box, "success", "0")
	if now := selectorOf(t, r.Box, "lab.example"); now == old {
		t.Fatalf("%s still signs", now)
	}
	leavesSigned(t, r.Box, sink)
	laterBy(t, r.Box, shortDrain+time.Second)
	tick(t, r.Box, "success", "0")
	if is := r.zone(t, "lab.example"); strings.Contains(is, old+"._domainkey") || strings.Count(is, "._domainkey.lab.example.") != 1 {
		t.Errorf("after the drain:\n%s", is)
	}
}

// troubledHooks: a hook that is not as it should be, or does not do what it should, costs one
// line, and nothing is changed.
func (r remote) troubledHooks(t *testing.T) {
	t.Helper()
	const program = "/usr/local/lib/hook"
	const lists = `case $(cat) in *'"zone"'*) echo '{"version":1,"rrsets":[]}';; *'"list"'*) echo '{"version":1,"zones":["lab.example."]}';; *) `
	for _, c := range []struct {
		text string
		mode string
		code int
		says string
	}{
		{"#!/bin/sh\n", "775", 2, program + ": the hook can be changed by others than root (mode 0775)"},
		{"#!/bin/sh\n", "700", 2, program + ": the hook cannot be read and run by a user of its own (mode 0700)"},
		{"#!/usr/bin/nothing\n", "755", 1, "hook " + program + ": systemd could not start it (exit status 203"},
		{"#!/bin/sh\necho the token is wrong >&2; exit 5\n", "755", 1, "hook " + program + ": the token is wrong"},
		{"#!/bin/sh\necho hello\n", "755", 1, "hook " + program + ": it wrote no JSON answer"},
		{"#!/bin/sh\nid -un >/etc/mailsetup/x || id >&2; exit 2\n", "755", 1, "uid=6"},
		{"#!/bin/sh\n" + lists + "echo no >&2; exit 1;; esac\n", "755", 1, "everything was put back as it was"},
		{"#!/bin/sh\n" + lists + "echo '{\"version\":1}';; esac\n", "755", 1, "it says that it is done, but lists other records"},
	} {
		r.Write(t, program, c.text, 0o755)
		r.Run(t, "chmod", c.mode, program)
		_, said := product(t, r.Box, c.code, hookArgs(program)...)
		says(t, said, c.says, "hint: ")
	}
	r.Run(t, "rm", program)
}
