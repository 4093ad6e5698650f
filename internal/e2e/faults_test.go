//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// deed is a command that faults befall, on a server that is ready for it.
type deed struct {
	name string
	args []string
	// share is how many of a hundred moments are its.
	share int
	// ready makes the server what the command begins with, and back leads there
	// from its end.
	ready, back func()
	// before is done for each moment: what the server looks like after it is not
	// looked at. In the end it is as it was before that.
	before func()
	// report: the command changes nothing.
	report bool
	// forward: each run ends somewhere else, so that its end is the next start.
	forward bool

	whole time.Duration     // what it takes in peace
	code  int               // its exit code then
	ends  map[string]string // what the server looks like then, see outline
}

// victims puts a server through faults.
type victims struct {
	b      *lab.Box
	random *rand.Rand
	was    condition
	counts map[string]int
	open   int
}

func newVictims(b *lab.Box, release string, n int) *victims {
	return &victims{b: b, random: rand.New(rand.NewPCG(seed, uint64(n+len(release)))), counts: map[string]int{}}
}

// total is what a soak asks for with MAILSETUP_SOAK, or 160: for each release.
func total() int {
	if n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK")); err == nil {
		return n
	}
	return 160
}

// TestSoakFaults: kills, signals, readers that go away, full and read-only disks,
// at random moments of every command. After each the server is as before the
// command or as after it, and the exit code says which.
func TestSoakFaults(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		v := newVictims(b, release, total())
		for _, d := range deeds(t, b) {
			v.befalls(t, d, v.draw(total()*d.share/100))
			leavesNothingOpen(t, b)
		}
		product(t, b, 0, "init", "--yes", "--overwrite-drift")
		leavesSigned(t, b, sink)
		noLeak(t, b)
		v.sum(t)
	})
}

// TestSoakAdoptFaults is the same for what takes an OpenDKIM over.
func TestSoakAdoptFaults(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		h := shapes()[0]
		b, sink := h.boots(t, release)
		v := newVictims(b, release, total())
		v.befalls(t, deed{
			name: "adopt", args: adoptArgs(), ready: func() {},
			back: func() { product(t, b, 0, "rollback", "--yes") },
		}, v.draw(max(6, total()/10)))
		product(t, b, 0, adoptArgs()...)
		leavesSigned(t, b, sink)
		noLeak(t, b)
		v.sum(t)
	})
}

// TestSoakInstallFaults: a Ctrl-C to the whole pipeline, or a terminal that goes
// away, ends neither apt nor dpkg in the middle.
func TestSoakInstallFaults(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Bare)
		states := func() string {
			return b.Sh(t, `dpkg --audit; dpkg-query -W -f '${Package} ${db:Status-Status}\n' postfix opendkim 2>/dev/null | grep -v ' not-installed$' || true`)
		}
		const all = "opendkim installed\npostfix installed\n"
		for i, f := range named(t, "signal 2 to the pipeline", "the terminal goes away", "signal 3, 3 times", "no reader", `key "\x03"`) {
			f.Argv, f.After = append([]string{"mailsetup"}, initArgs()...), time.Duration(3+i)*time.Second
			got := b.Suffer(t, f.Fault)
			there := states()
			t.Logf("%s after %v: exit %d, %q", f.name, f.After, got.Code, there)
			done := f.Kind == lab.FaultReader && got.Code == 0
			if !done && got.Code != 130 || there != "" && there != all {
				t.Errorf("%s after %v: exit %d, packages:\n%s\n%s", f.name, f.After, got.Code, there, got.Out)
			}
			leavesNothingOpen(t, b)
			if done {
				product(t, b, 0, "rollback", "--yes")
			}
			if there != "" {
				b.Sh(t, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge postfix opendkim >/dev/null")
			}
		}
		product(t, b, 0, initArgs()...)
		leavesSigned(t, b, b.Sink(t))
	})
}

// deeds are all commands, in an order in which each leads to the next.
func deeds(t *testing.T, b *lab.Box) []deed {
	run := func(args ...string) func() { return func() { product(t, b, 0, args...) } }
	back := run("rollback", "--yes")
	list := []deed{
		{name: "init", share: 25, args: initArgs(), ready: func() {}, back: back},
		{name: "recover", share: 15, args: []string{"recover"}, ready: func() {}, before: func() { openRun(t, b) }},
		{name: "rollback", share: 15, args: []string{"rollback", "--yes"}, ready: run(initArgs()...), back: run(initArgs()...)},
		{
			name: "add-domain", share: 10, args: []string{"add-domain", "--yes", "shop.example"},
			ready: func() {}, back: back,
		},
		{
			name: "remove-domain", share: 10, args: []string{"remove-domain", "--yes", "--purge", "shop.example"},
			ready: run("add-domain", "--yes", "shop.example"), back: back,
		},
		{
			name: "rotate-dkim", share: 10, args: []string{"rotate-dkim", "--yes", "--compromised", "shop.example"},
			ready: func() { quick(t, b, "180d") }, forward: true,
		},
	}
	for _, args := range [][]string{
		{"list"},
		{"list", "--json"},
		{"status"},
		{"history"},
		{"dns"},
		{"dns", "--wait", "--timeout", "5s"},
		{"init", "--dry-run", "--dmarc", "reject"},
		{"rotate-dkim", "--yes"},
	} {
		// Once before, for what is due and for what is remembered of DNS.
		once := func() { _, _, _ = b.Exec(t.Context(), nil, append([]string{"mailsetup"}, args...)...) }
		list = append(list, deed{name: strings.Join(args, " "), share: 2, args: args, ready: once, report: true})
	}
	return list
}

// openRun leaves the journal of a run that was killed open.
func openRun(t *testing.T, b *lab.Box) {
	t.Helper()
	for at := 1500 * time.Millisecond; ; at = at * 5 / 4 {
		got := b.Suffer(t, lab.Fault{Argv: append([]string{"mailsetup"}, initArgs()...), Kind: lab.FaultSignal, Signal: syscall.SIGKILL, After: at})
		if isOpen(t, b) {
			return
		}
		if got.Code != 137 {
			t.Fatalf("a run that was to be killed: exit %d\n%s", got.Code, got.Out)
		}
	}
}

// isOpen tells whether a run did not end.
func isOpen(t *testing.T, b *lab.Box) bool {
	t.Helper()
	text, _ := product(t, b, 0, "history", "--json")
	var doc struct{ Runs []struct{ Status string } }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, r := range doc.Runs {
		if r.Status == "open" {
			return true
		}
	}
	return false
}

func leavesNothingOpen(t *testing.T, b *lab.Box) {
	t.Helper()
	if isOpen(t, b) {
		t.Errorf("a run is open")
	}
}

// befalls runs a command once in peace and then with each of the faults, at moments
// spread over the time that it takes.
func (v *victims) befalls(t *testing.T, d deed, faults []faulty) {
	t.Helper()
	d.ready()
	v.was = look(t, v.b)
	if d.before != nil {
		d.before()
	}
	start := time.Now()
	_, stderr, code := v.b.Exec(t.Context(), nil, append([]string{"mailsetup"}, d.args...)...)
	if d.whole, d.code = time.Since(start), code; code != 0 && code != 3 {
		t.Fatalf("%s: exit %d\n%s", d.name, code, stderr)
	}
	d.ends = outline(look(t, v.b))
	v.again(t, d)
	for i, f := range faults {
		f.After = time.Duration((float64(i) + v.random.Float64()) / float64(len(faults)) * float64(d.whole))
		v.moment(t, d, f)
	}
}

// again leads from the end of a command to its start.
func (v *victims) again(t *testing.T, d deed) {
	t.Helper()
	if d.back != nil {
		d.back()
	}
	if !d.report {
		v.was = look(t, v.b)
	}
}

// moment is one run with a fault, and all that has to be true afterwards.
func (v *victims) moment(t *testing.T, d deed, f faulty) {
	t.Helper()
	if d.before != nil {
		d.before()
	}
	f.Argv = append([]string{"mailsetup"}, d.args...)
	if f.setup != "" {
		v.b.Sh(t, f.setup)
	}
	got := v.b.Suffer(t, f.Fault)
	if f.undo != "" {
		v.b.Sh(t, f.undo)
	}
	if f.Kind == lab.FaultHangup && got.Code == 130 { // what is said after that is not lost
		says(t, v.b.Sh(t, "journalctl --sync; journalctl -t mailsetup -o cat --no-pager"), "mailsetup: ", "interrupted")
	}
	open := isOpen(t, v.b)
	said := ""
	if open {
		v.open++
		said, _ = product(t, v.b, 0, "recover")
	}
	now := look(t, v.b)
	at := "the start"
	off := differences(v.was, now)
	switch {
	case len(off) == 0 && (d.report || d.before != nil) && !open:
		at = "both" // of which nothing can be told apart
	case len(off) == 0:
	case !d.forward && maps.Equal(outline(now), d.ends):
		at = "the end"
	case d.forward:
		at = "elsewhere"
	default:
		at = "neither"
	}
	t.Logf("%s, %s after %v of %v: exit %d, open %v, at %s", d.name, f.name, f.After.Round(time.Millisecond), d.whole.Round(time.Millisecond), got.Code, open, at)
	if at == "neither" || open && !mayStayOpen(d, f, got) || !slices.Contains(codes(d, f, at, open), got.Code) {
		for path, is := range outline(now) {
			if d.ends[path] != is {
				t.Logf("%s: %s\nat the end: %s", path, is, d.ends[path])
			}
		}
		t.Errorf("%s after %v of %v: exit %d, a run open: %v, at %s; of the start differ %q\n%s\n%s\n%s",
			f.name, f.After, d.whole, got.Code, open, at, off, got.Out, got.Script, said)
	}
	if at == "neither" {
		t.FailNow() // whatever comes after that says nothing
	}
	v.counts[fmt.Sprintf("exit %d, at %s, open %v", got.Code, at, open)]++
	switch at {
	case "the end":
		v.again(t, d)
	case "elsewhere":
		v.was = now
	}
}

// early is before a program may have listened to signals.
func early(d deed, f faulty) bool { return f.After < max(d.whole/10, 150*time.Millisecond) }

// mayStayOpen: what KILL ended, what a disk kept from being put back, and what
// was open before and not begun with.
func mayStayOpen(d deed, f faulty, got lab.Suffered) bool {
	return f.Signal == syscall.SIGKILL || f.Kind == lab.FaultScript && got.Code == 4 ||
		d.before != nil && (early(d, f) || got.Code == 4)
}

// codes are the exit codes that are true.
func codes(d deed, f faulty, at string, open bool) []int {
	if early(d, f) && at != "the end" && (!open || d.before != nil) {
		return []int{0, 1, 2, 3, 4, 5, 130, d.code, 128 + int(f.Signal), 129, 131}
	}
	if d.before != nil && open && f.Signal != syscall.SIGKILL {
		return []int{4}
	}
	finished := []int{d.code}
	interrupted := []int{130}
	switch {
	case f.Kind == lab.FaultScript && open:
		return []int{4}
	case f.Kind == lab.FaultScript && at == "the start":
		return []int{1, 2}
	case f.Kind == lab.FaultScript && at != "the end": // rotate-dkim keeps the runs before that one
		return []int{0, 1, 2, 3}
	case f.Kind == lab.FaultFull && d.name == "recover":
		return finished // it has no result, only messages
	case f.Kind == lab.FaultFull && at != "the start":
		return []int{5}
	case f.Signal == syscall.SIGKILL && at == "the end":
		return []int{0, 137}
	case f.Signal == syscall.SIGKILL:
		return []int{137, d.code}
	case f.Kind == lab.FaultHangup, f.Kind == lab.FaultKey && f.Key != "\x1a", f.Signal != 0 && ends(f.Signal):
		switch at {
		case "the start":
			return interrupted
		case "the end":
			return finished
		}
		return append(interrupted, d.code)
	case at == "the start":
		return nil // nobody asked it to give up
	}
	return finished
}

// sum tells what became of all.
func (v *victims) sum(t *testing.T) {
	t.Helper()
	all := 0
	for _, n := range v.counts {
		all += n
	}
	for _, what := range slices.Sorted(maps.Keys(v.counts)) {
		t.Logf("%4d %s", v.counts[what], what)
	}
	t.Logf("%d moments, %d with a run open afterwards: all at the start or at the end of their command", all, v.open)
}

// differences are the places where two conditions differ.
func differences(was, is condition) (names []string) {
	for _, m := range [][2]map[string]string{{was.tree, is.tree}, {was.zones, is.zones}} {
		for _, both := range m {
			for path := range both {
				if m[0][path] != m[1][path] {
					names = append(names, path)
				}
			}
		}
	}
	if was.running != is.running {
		names = append(names, "what runs: "+is.running)
	}
	if was.postfix != is.postfix {
		names = append(names, "postconf -n")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var (
	anySelector = regexp.MustCompile(`\b20\d{4}[a-z0-9-]*`)
	anyStamp    = regexp.MustCompile(`; mailsetup [0-9a-f]{8}\b`)
)

// outline is a condition without what is another each time: selectors, keys and
// what follows from them.
func outline(c condition) map[string]string {
	all := map[string]string{"running": c.running, "postconf": c.postfix}
	for path, is := range c.tree {
		if strings.HasPrefix(path, "/var/lib/mailsetup") {
			continue // it remembers all selectors
		}
		for _, keys := range []string{
			"/etc/aliases.db", "/etc/aliases.cdb", // one has an identifier, each the time
			"/etc/dkimkeys/", "/etc/opendkim/", "/etc/bind/mailsetup/", "/etc/mailsetup/domains.d/",
		} {
			if strings.HasPrefix(path, keys) {
				is = strings.Join(strings.Fields(is)[:2], " ")
			}
		}
		all[anySelector.ReplaceAllString(path, "SELECTOR")] = is
	}
	for path, text := range c.zones {
		all[path] = anyStamp.ReplaceAllString(anySelector.ReplaceAllString(text, "SELECTOR"), "; mailsetup STAMP")
	}
	return all
}
