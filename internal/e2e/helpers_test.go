//go:build e2e

package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// existing boots a server that sends mail already, with OpenDKIM as its
// package leaves it, and a sink for what it sends.
func existing(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b := server(t, release, lab.Mail)
	return b, b.Sink(t)
}

// signing boots the same server on which init has run, with a TTL of 60.
func signing(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Signing})
	return b, b.Sink(t)
}

// condition is what a failed run has to leave as it found it.
type condition struct {
	tree    map[string]string // bytes, owners and modes
	zones   map[string]string // zone files without their serial
	serials map[string]int
	running string
	postfix string // what Postfix makes of its configuration
}

var serial = regexp.MustCompile(`(?m)^(@ IN SOA \S+ \S+ )(\d+)`)

// look describes the server, files and daemons. The journal is left out: that
// a run was tried stays on record; so does what was seen of DNS.
func look(t *testing.T, b *lab.Box) condition {
	t.Helper()
	c := condition{
		tree: b.Snapshot(t, "/etc", "/var/spool/postfix/opendkim", "/var/lib/mailsetup",
			"!/var/lib/mailsetup/journal", "!/var/lib/mailsetup/dns-checks", "!/var/lib/mailsetup/unchanged", "!/var/lib/mailsetup/key-times.json", "!/var/lib/mailsetup/watched.json", "!/var/lib/mailsetup/check.json",
			"!/etc/systemd/system/*.d"),
		zones: map[string]string{}, serials: map[string]int{},
		running: running(t, b),
		postfix: b.Run(t, "postconf", "-n"),
	}
	delete(c.tree, "/var/lib/mailsetup") // the journal's own directory
	for path, is := range c.tree {
		if !strings.HasPrefix(path, "/etc/bind/db.") {
			continue
		}
		text := b.Read(t, path)
		m := serial.FindStringSubmatch(text)
		if m == nil {
			continue // Debian's own zones
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		meta := strings.Join(strings.Fields(is)[:2], " ")
		c.zones[path], c.serials[path] = meta+"\n"+serial.ReplaceAllString(text, "${1}SERIAL"), n
		delete(c.tree, path)
	}
	return c
}

// running tells which daemons run, and where OpenDKIM listens.
func running(t *testing.T, b *lab.Box) string {
	t.Helper()
	return b.Sh(t, `systemctl show -p Id,ActiveState,SubState opendkim.service postfix.service postfix@-.service named.service
ss -xlnpH | awk '/"opendkim"/ { print $5 }'
ss -tlnpH | awk '/"opendkim"/ { print $4 }'`)
}

// asBefore insists that nothing changed but serials, which only grow.
func asBefore(t *testing.T, b *lab.Box, was condition) {
	t.Helper()
	unchanged(t, was, look(t, b))
}

func unchanged(t *testing.T, was, is condition) {
	t.Helper()
	same(t, was.tree, is.tree)
	for _, path := range slices.Sorted(maps.Keys(was.zones)) {
		if is.zones[path] != was.zones[path] {
			t.Errorf("%s was\n%s\nis\n%s", path, was.zones[path], is.zones[path])
		}
		if is.serials[path] < was.serials[path] {
			t.Errorf("%s: serial %d, was %d", path, is.serials[path], was.serials[path])
		}
	}
	if is.running != was.running {
		t.Errorf("runs now:\n%s\nbefore:\n%s", is.running, was.running)
	}
	if is.postfix != was.postfix {
		t.Errorf("postconf -n:\n%s\nbefore:\n%s", is.postfix, was.postfix)
	}
}

// notServed insists that BIND serves none of our records.
func notServed(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, q := range []string{"TXT lab.example", "TXT _dmarc.lab.example", "TXT mail.lab.example", "MX lab.example"} {
		kind, name, _ := strings.Cut(q, " ")
		if out := b.Run(t, "dig", "+short", "@127.0.0.1", kind, name); strings.TrimSpace(out) != "" {
			t.Errorf("%s is still served: %s", q, out)
		}
	}
	zone := b.Run(t, "rndc", "zonestatus", "lab.example")
	file := serial.FindStringSubmatch(b.Read(t, "/etc/bind/db.lab.example"))
	if file == nil || !strings.Contains(zone, "serial: "+file[2]) {
		t.Errorf("BIND does not serve the file's serial %v:\n%s", file, zone)
	}
}

// becomes waits until a condition, in the words of the shell, holds in the box. A
// busy machine takes its time: only after a minute will it never hold.
func becomes(t *testing.T, b *lab.Box, condition string) {
	t.Helper()
	out, errs, code := b.Exec(t.Context(), nil, "sh", "-c", "for i in $(seq 1200); do if "+condition+"; then exit 0; fi; sleep .05; done; exit 1")
	if code != 0 {
		t.Fatalf("not within a minute: %s\n%s%s%s", condition, out, errs, b.Sh(t, "mailq 2>&1 || true; journalctl -n 40 --no-pager"))
	}
}

// reload has BIND read the file of a zone again, under its new serial, and waits
// until it has: rndc(8) does not.
func reload(t *testing.T, b *lab.Box, zone string) {
	t.Helper()
	b.Run(t, "rndc", "reload", zone)
	_, loaded, _ := strings.Cut(b.Run(t, "named-checkzone", zone, "/etc/bind/db."+zone), "loaded serial ")
	n, _, _ := strings.Cut(loaded, "\n")
	becomes(t, b, "rndc zonestatus "+zone+" | grep -qx 'serial: "+n+"'")
}

// flows sends one message by sendmail(1) and one by SMTP, and returns them as
// they arrive.
func flows(t *testing.T, b *lab.Box, sink *lab.Sink) [][]byte {
	t.Helper()
	before := sink.Count()
	b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i`)
	if said, taken := b.Send(t, lab.Letter{From: "ann@lab.example", To: "bob@remote.example", Subject: "by smtp", Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	var bodies [][]byte
	for _, m := range sink.Wait(t, before+2, 90*time.Second)[before:] {
		bodies = append(bodies, m.Data)
	}
	return bodies
}

// leavesUnsigned insists that mail flows and carries no signature.
func leavesUnsigned(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	for _, msg := range flows(t, b, sink) {
		if found := lab.VerifyDKIM(t, b, msg); len(found) != 0 {
			t.Errorf("signed: %+v\n%s", found, msg)
		}
	}
}

// leavesSigned insists that mail flows and that its signature holds.
func leavesSigned(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	for _, msg := range flows(t, b, sink) {
		signed(t, b, msg)
	}
}

// dropIn changes a unit by a file beside it.
func dropIn(t *testing.T, b *lab.Box, unit, text string) {
	t.Helper()
	b.Write(t, "/etc/systemd/system/"+unit+".d/lab.conf", "[Service]\n"+text+"\n", 0o644)
	b.Run(t, "systemctl", "daemon-reload")
}

// undrop takes the change back.
func undrop(t *testing.T, b *lab.Box, unit string) {
	t.Helper()
	b.Sh(t, "rm -r /etc/systemd/system/"+unit+".d; systemctl daemon-reload")
}

// says insists that a text holds each of the words.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("nothing about %q in:\n%s", w, text)
		}
	}
}

// saysNot insists that a text holds none of the words.
func saysNot(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q should not be in:\n%s", w, text)
		}
	}
}

// noLeak insists that private keys are where they belong and nowhere else, and
// that only root and OpenDKIM can read them.
func noLeak(t *testing.T, b *lab.Box) {
	t.Helper()
	if log := b.Run(t, "journalctl", "--no-pager", "-o", "cat"); strings.Contains(log, "PRIVATE KEY") {
		t.Error("private key material in the system's journal")
	}
	keys := 0
	found := b.Sh(t, `grep -rlsaD skip "BEGIN.*PRIVATE KEY" /etc /var /run /tmp /root | xargs stat -c '%n %a %U'`)
	for line := range strings.Lines(found) {
		f := strings.Fields(line)
		switch path, is := f[0], f[1]+" "+f[2]; {
		case strings.HasPrefix(path, "/etc/ssl/private/"): // Debian's own
		case strings.HasPrefix(path, "/etc/dkimkeys/") && is == "600 opendkim":
			keys++
		case strings.HasPrefix(path, "/var/lib/mailsetup/journal/") && is == "600 root":
		default:
			t.Errorf("private key material in %s", line)
		}
	}
	if keys == 0 {
		t.Errorf("no private key found at all:\n%s", found)
	}
	if dirs := b.Run(t, "find", "/etc/dkimkeys", "-type", "d", "-printf", "%m %u %p\n"); strings.Count(dirs, "700 opendkim /etc/dkimkeys") != strings.Count(dirs, "\n") {
		t.Errorf("directories of keys:\n%s", dirs)
	}
	for path, is := range b.Snapshot(t, "/var/lib/mailsetup") {
		if !strings.HasPrefix(is, "-rw------- 0:0 ") && is != "drwx------ 0:0" {
			t.Errorf("%s: %s", path, is)
		}
	}
}
