//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// Spans of time for a key's life that a test can wait for. What resolvers may
// remember is a minute, the least TTL that the product accepts.
const (
	shortDrain = 30 * time.Second
	shortWait  = time.Minute
)

// quick compresses the lives of keys; every is how old they get.
func quick(t *testing.T, b *lab.Box, every string) {
	t.Helper()
	b.Sh(t, fmt.Sprintf(`sed -i -e 's/^drain = .*/drain = "%.0fs"/' -e 's/^lag = .*/lag = "1s"/' -e 's/^rotate_every = .*/rotate_every = "%s"/' /etc/mailsetup/host.toml`,
		shortDrain.Seconds(), every))
}

// selectorOf is what signs for a domain.
func selectorOf(t *testing.T, b *lab.Box, domain string) string {
	t.Helper()
	if b.Exists("/etc/exim4/mailsetup.dkim") {
		return eximSelector(t, b, domain)
	}
	for line := range strings.Lines(b.Read(t, "/etc/opendkim/SigningTable")) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == domain {
			selector, _, _ := strings.Cut(f[1], "._domainkey.")
			return selector
		}
	}
	t.Fatalf("no key signs for %s", domain)
	return ""
}

// keysAt are the selectors of a domain by stage, as status tells them.
func keysAt(t *testing.T, b *lab.Box, domain string) map[string][]string {
	t.Helper()
	out, _ := product(t, b, 0, "status", "--json", domain)
	var doc struct {
		Keys []struct{ Selector, Stage string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("status: %v\n%s", err, out)
	}
	at := map[string][]string{}
	for _, k := range doc.Keys {
		at[k.Stage] = append(at[k.Stage], k.Selector)
	}
	return at
}

// TestRotationUnderMail: ten senders at work while the keys of five domains are
// replaced again and again. Every message verifies when it arrives, and
// again with the DNS of the end of its drain.
func TestRotationUnderMail(t *testing.T) {
	each(t, func(t *testing.T, release string) { rotateUnderMail(t, release, 10) })
}

// TestSoakRotation is the same for MAILSETUP_SOAK rotations, or 100.
func TestSoakRotation(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		n = 100
	}
	each(t, func(t *testing.T, release string) { rotateUnderMail(t, release, n) })
}

func rotateUnderMail(t *testing.T, release string, rotations int) {
	t.Helper()
	b, sink := signing(t, release)
	domains := []string{"lab.example", "a.example", "b.example", "c.example", "d.example"}
	b.NamedAll(t, domains[1:]...)
	product(t, b, 0, append([]string{"add-domain", "--yes", "--ttl", "60"}, domains[1:]...)...)
	rotateDomainsUnderMail(t, b, sink, domains, rotations)
}

// rotateDomainsUnderMail replaces the keys of domains that often while mail of each leaves.
func rotateDomainsUnderMail(t *testing.T, b *lab.Box, sink *lab.Sink, domains []string, rotations int) {
	t.Helper()
	quick(t, b, "5s")
	before := sink.Count()
	var mail []*lab.Sending
	for _, d := range domains {
		mail = append(mail, b.Load(t, lab.LoadOptions{SMTP: 1, Sendmail: 1, From: "ann@" + d, Pause: 4 * time.Second}))
	}
	w := watch(t, sink, before)
	done := rotateAll(t, b, domains, rotations)
	sent, deferred := map[string]bool{}, 0
	for _, m := range mail {
		l := m.Stop(t)
		deferred += l.Deferred + l.Broken
		for _, subject := range l.Sent {
			sent[subject] = true
		}
		for _, r := range l.Refused {
			t.Errorf("refused for good: %s", r)
		}
	}
	arrive(t, b, sink, before+len(sent))
	w.end(t)
	got := sink.AuditSome(t, before, sink.Count(), 0).Times
	for subject := range sent {
		if got[subject] != 1 {
			t.Errorf("%s arrived %d times", subject, got[subject])
		}
	}
	t.Logf("%d rotations: %d sent, %d deferred or broken, %d arrived, %d verified on arrival, %d at the end of the drain, %d looked at too late for that",
		done, len(sent), deferred, len(got), w.first, w.second, w.late)
	if len(sent) < 20*rotations || deferred > 0 || w.first != len(got) || w.second+w.late != len(got) || w.late > len(got)/10 {
		t.Error("too little mail, or mail that had to wait, or messages that were not looked at twice")
	}
}

// rotateAll runs the command until the keys of the domains were replaced that
// often, and tells how often it was.
func rotateAll(t *testing.T, b *lab.Box, domains []string, rotations int) (done int) {
	t.Helper()
	signing := map[string]string{}
	for _, d := range domains {
		signing[d] = selectorOf(t, b, d)
	}
	for end := time.Now().Add(time.Duration(rotations+8) * shortWait); done < rotations; time.Sleep(4 * time.Second) {
		if time.Now().After(end) {
			t.Fatalf("only %d of %d rotations\n%s", done, rotations, b.Run(t, "mailsetup", "status"))
		}
		product(t, b, 0, "rotate-dkim", "--yes")
		for _, d := range domains {
			if now := selectorOf(t, b, d); now != signing[d] {
				signing[d], done = now, done+1
			}
		}
	}
	return done
}

// watcher looks at each message of a sink twice: when it arrived, and with the
// DNS of the end of its drain.
type watcher struct {
	first, second, late int
	stop, stopped       chan struct{}
}

// batch are messages that arrived between two looks.
type batch struct {
	from, to int
	at       time.Time // when the first of them can have arrived
}

func watch(t *testing.T, sink *lab.Sink, from int) *watcher {
	w := &watcher{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(w.stopped)
		w.run(t, sink, from)
	}()
	return w
}

// end waits until the second look at the last message.
func (w *watcher) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	select {
	case <-w.stopped:
	case <-time.After(shortDrain + time.Minute):
		t.Fatal("not all messages were looked at a second time")
	}
}

func (w *watcher) run(t *testing.T, sink *lab.Sink, seen int) {
	var waiting []batch
	last, stop := time.Now(), w.stop
	for stop != nil || len(waiting) > 0 {
		select {
		case <-stop:
			stop = nil // and one more look for what has arrived
		case <-time.After(2 * time.Second):
		}
		began := time.Now()
		if n := sink.Count(); n > seen {
			waiting = append(waiting, batch{seen, n, last})
			a := sink.AuditSome(t, seen, n, 0)
			w.first += len(a.Times) - bad(t, a, "on arrival")
			seen = n
		}
		last = began
		for len(waiting) > 0 && time.Since(waiting[0].at) > shortDrain-10*time.Second {
			a := sink.AuditSome(t, waiting[0].from, waiting[0].to, shortDrain)
			w.second += len(a.Times) - len(a.Late) - bad(t, a, "at the end of its drain")
			w.late += len(a.Late)
			waiting = waiting[1:]
		}
	}
}

// bad reports the messages of an audit that do not verify.
func bad(t *testing.T, a lab.Audit, when string) int {
	for _, subject := range slices.Sorted(maps.Keys(a.Bad)) {
		t.Errorf("%s, %s: %s", subject, when, a.Bad[subject])
	}
	return len(a.Bad)
}

// TestStaleServer: one of two servers keeps the old zones. Nothing is switched,
// and the message names it, once a day. Once it has caught up with one of them,
// that domain goes on, and the other one still waits.
func TestStaleServer(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		p := newPair(t, release)
		product(t, p.Box, 0, initArgs("--ttl", "60")...)
		product(t, p.Box, 0, "add-domain", "--yes", "--ttl", "60", "signed.example")
		quick(t, p.Box, "180d")
		conf, old := p.ns2.Read(t, "/etc/bind/named.conf.local"), map[string]string{}
		for _, d := range []string{"lab.example", "signed.example"} {
			p.follows(t, d, 0)
			old[d] = selectorOf(t, p.Box, d)
			p.ns2.Sh(t, "cd /var/cache/bind; dig +noall +answer +onesoa AXFR @127.0.0.1 "+d+" >old."+d)
		}
		const stale = `zone "lab.example" { type primary; file "old.lab.example"; };
`
		p.knows(t, stale+`zone "signed.example" { type primary; file "old.signed.example"; };
`)

		product(t, p.Box, 0, "rotate-dkim", "--now", "--all", "--yes")
		out, said := product(t, p.Box, 3, "rotate-dkim", "--yes")
		for d, selector := range old {
			says(t, strings.Join(strings.Fields(said), " "), d+": ", "ns2.lab.example ("+secondary+")", selector+" goes on")
		}
		if out != "" {
			t.Errorf("on stdout:\n%s", out)
		}
		if out, said := product(t, p.Box, 0, "rotate-dkim", "--yes"); out+said != "" {
			t.Errorf("told again the same day:\n%s%s", out, said)
		}

		_, others, _ := strings.Cut(conf, "\n")
		p.knows(t, stale+others)
		p.follows(t, "signed.example", 0)
		product(t, p.Box, 0, "rotate-dkim", "--yes")
		laterBy(t, p.Box, shortWait+5*time.Second)
		product(t, p.Box, 0, "rotate-dkim", "--yes")
		if now := selectorOf(t, p.Box, "signed.example"); now == old["signed.example"] {
			t.Errorf("%s still signs\n%s", now, p.Run(t, "mailsetup", "status"))
		}
		if now := selectorOf(t, p.Box, "lab.example"); now != old["lab.example"] {
			t.Errorf("%s signs, and one server does not have its record", now)
		}
		if at := keysAt(t, p.Box, "lab.example"); len(at["publishing"]) != 1 {
			t.Errorf("keys: %v", at)
		}
	})
}

// knows starts the second server anew, with these zones.
func (p pair) knows(t *testing.T, zones string) {
	t.Helper()
	p.ns2.Write(t, "/etc/bind/named.conf.local", zones, 0o644)
	p.ns2.Sh(t, "rm -f /var/cache/bind/db.*; named-checkconf -z >/dev/null")
	p.ns2.Restart(t, "named")
}

// TestKilledRotation: killed at any moment, a rotation goes on with the next
// run, and mail is signed in between. The moments take turns on the releases: what
// is killed is mailsetup, which is the same on both. Then many keys are replaced at once.
func TestKilledRotation(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := killRotations(t, release, 20, func(i int) bool { return lab.TakesTurn(i, release) })
		rotatesTwentyOfThirty(t, b)
	})
}

// TestSoakKilledRotation is the same with many more moments: MAILSETUP_SOAK, or
// 200.
func TestSoakKilledRotation(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		n = 200
	}
	each(t, func(t *testing.T, release string) {
		killRotations(t, release, n, func(int) bool { return true })
	})
}

// rotatesTwentyOfThirty replaces the keys of twenty of thirty domains with a zone each:
// BIND reads those zones anew and no other, OpenDKIM is reloaded once, and a run for which
// nothing is due leaves both alone.
func rotatesTwentyOfThirty(t *testing.T, b *lab.Box) {
	t.Helper()
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("z%02d.example", i))
	}
	rotated := all[5:25]
	b.NamedAll(t, all...)
	product(t, b, 0, append([]string{"add-domain", "--yes", "--ttl", "60", "--key-bits", "1024"}, all...)...)
	old := map[string]string{}
	for _, d := range all {
		old[d] = selectorOf(t, b, d)
	}
	// tick is a run, with the zones that BIND has read meanwhile and the number of reloads
	// of OpenDKIM.
	tick := func(args ...string) (read []string, reloads int) {
		t.Helper()
		const journal = "journalctl --no-pager -o cat -u named -u opendkim"
		before := len(b.Sh(t, journal))
		product(t, b, 0, append([]string{"rotate-dkim", "--yes"}, args...)...)
		for line := range strings.Lines(b.Sh(t, journal)[before:]) {
			zone, _, loaded := strings.Cut(strings.TrimPrefix(line, "zone "), "/IN: loaded serial ")
			if loaded && slices.Contains(all, zone) { // others have keys whose time has come
				read = append(read, zone)
			}
			if strings.HasPrefix(line, "Reloaded opendkim") {
				reloads++
			}
		}
		slices.Sort(read)
		return read, reloads
	}
	if read, reloads := tick(append([]string{"--now"}, rotated...)...); !slices.Equal(read, rotated) || reloads != 0 {
		t.Errorf("with %d new records BIND read %v, and OpenDKIM was reloaded %d times", len(rotated), read, reloads)
	}
	tick() // sees the records, here or in the run before
	laterBy(t, b, shortWait+5*time.Second)
	if read, reloads := tick(); len(read) != 0 || reloads != 1 {
		t.Errorf("to switch %d keys BIND read %v, and OpenDKIM was reloaded %d times", len(rotated), read, reloads)
	}
	if read, reloads := tick(); len(read) != 0 || reloads != 0 {
		t.Errorf("with nothing due BIND read %v, and OpenDKIM was reloaded %d times", read, reloads)
	}
	for _, d := range all {
		if now := selectorOf(t, b, d); (now != old[d]) != slices.Contains(rotated, d) {
			t.Errorf("%s signs for %s, and %s did before", now, d, old[d])
		}
	}
}

// killRotations kills runs of emergencies, in which one run does all the steps
// of a key, and lets a later one finish. Of n moments those are tried that are
// here.
func killRotations(t *testing.T, release string, n int, here func(int) bool) *lab.Box {
	t.Helper()
	b, sink := signing(t, release)
	quick(t, b, "180d")
	// The moments shall fall into the steps, and not into the search for primes.
	b.Sh(t, "sed -i 's/^key_bits = .*/key_bits = 1024/' /etc/mailsetup/domains.d/lab.example.toml")
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	start := time.Now()
	product(t, b, 0, "rotate-dkim", "--compromised", "lab.example", "--yes")
	whole := time.Since(start)
	half := 0
	for i := range n {
		at := time.Duration((float64(i) + random.Float64()) / float64(n) * float64(whole))
		if !here(i) {
			continue
		}
		out, code := killed(t, b, at, "rotate-dkim", "--compromised", "lab.example", "--yes")
		if code == 137 {
			half++
		}
		product(t, b, 0, "rotate-dkim", "--yes")
		keys := keysAt(t, b, "lab.example")
		now := selectorOf(t, b, "lab.example")
		if !slices.Equal(keys["active"], []string{now}) {
			t.Fatalf("killed after %v of %v: %s signs, keys are %v\n%s", at, whole, now, keys, out)
		}
		if len(keys["publishing"])+len(keys["published"]) > 0 {
			t.Fatalf("killed after %v of %v: not finished: %v\n%s", at, whole, keys, out)
		}
		if i%5 == 4 {
			leavesSigned(t, b, sink)
		}
	}
	t.Logf("moments over %v, %d of them before the end", whole.Round(time.Millisecond), half)
	if half == 0 {
		t.Error("no run was killed")
	}
	leavesSigned(t, b, sink)
	noLeak(t, b)
	return b
}
