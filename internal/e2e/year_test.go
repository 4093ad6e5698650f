//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/clock"
	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/e2e/year"
	"mailsetup/internal/keyring"
)

const (
	// cohorts are groups of domains that were added together, and so rotate together.
	cohorts = 10
	// control is a domain whose records an administrator takes out of its zone by hand:
	// a gap that has to be seen.
	control = "control.example"
	// perTick are the domains whose mail is looked at in every tick, beside those that
	// have a new key.
	perTick = 3
)

// cohort is how one group of domains is run.
type cohort struct {
	every, age    time.Duration // of its keys, and how old they are when the year begins
	ttl, negative time.Duration
	drain, revoke time.Duration
	domains       []string
}

// yearOf is a year of hourly ticks on a server with many zones, whose two other name
// servers transfer them. The program is given its time.
type yearOf struct {
	t           *testing.T
	b           *lab.Box
	others      [2]*lab.Box
	random      *rand.Rand
	cohorts     []*cohort
	of          map[string]*cohort // by domain
	servers     *nameServersOf
	start       time.Time                // of the year, by the clock of this machine
	began       time.Time                // when the present hour began, by the same
	hour        int                      // of the present tick
	looked      time.Duration            // until when it is certain which files changed
	seen        map[string]time.Duration // when servers were asked about a domain that is pending
	switched    time.Duration            // when OpenDKIM's table changed in this tick, or its beginning
	hasSwitched bool
	swept       time.Duration // when they were asked for all domains
	wrong       time.Duration // by how much the wall clock is set wrong
	ledger      *ledgerOf
	keys        map[string]map[string]*year.Key // by domain and selector
	pending     map[string]int                  // domains that servers may disagree about, until an hour
	signer      map[string]string               // the selector that the last signature of a domain has
	unproven    map[string]string               // the selector that OpenDKIM's table has instead
	letters     map[string][]byte               // a signed message of each key, by domain and selector
	transit     []inTransit
	faults      []*yearFault
	worst       year.Interval
	whose       string
	control     time.Duration // the worst gap of the control
	codes       map[int]int
	verified    int // how often a message verified with an answer
	out         *os.File
}

// inTransit is a message that arrives at the end of the drain.
type inTransit struct {
	domain, selector string
	arrives          time.Duration
}

// TestSoakYear: a year of hourly ticks, with name servers that are dead, silent or
// behind, a dead signer, a full disk, edits by hand and wrong clocks. No message is
// signed that would not verify with any answer that a resolver may have, now and until
// the end of its drain. MAILSETUP_SOAK is the number of days, MAILSETUP_YEAR the file
// for what `go run ./internal/e2e/cmd/year` draws.
func TestSoakYear(t *testing.T) {
	days := 365
	if n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK")); err == nil {
		days = n
	}
	zones := 1000
	if n, err := strconv.Atoi(os.Getenv("MAILSETUP_YEAR_ZONES")); err == nil {
		zones = n
	}
	y := newYear(t, "trixie", zones)
	y.plan(days)
	for y.hour < 24*days && !t.Failed() {
		y.tick()
	}
	y.end(days)
}

const day = 24 * time.Hour

// newYear boots three name servers, of which the first one signs mail, and sets up all
// domains.
func newYear(t *testing.T, release string, zones int) *yearOf {
	t.Helper()
	y := &yearOf{
		t: t, random: rand.New(rand.NewPCG(seed, 365)), of: map[string]*cohort{}, keys: map[string]map[string]*year.Key{},
		pending: map[string]int{}, seen: map[string]time.Duration{}, signer: map[string]string{}, unproven: map[string]string{}, letters: map[string][]byte{}, codes: map[int]int{},
	}
	y.b = server(t, release, lab.Mail)
	for i, addr := range []string{"192.0.2.53", "192.0.2.54"} {
		y.others[i] = lab.Boot(t, lab.Options{Release: release, Hostname: fmt.Sprintf("ns%d.lab.example", i+2), Addresses: []string{addr + "/32"}})
		lab.Connect(t, y.b, y.others[i])
	}
	y.b.Write(t, "/usr/local/bin/mailsetup", programWithClock(t), 0o755)
	y.draw(zones)
	y.zones()
	y.b.Sh(t, "rm -f /etc/systemd/system/timers.target.wants/mailsetup-*")
	y.run(-100*day, append(initArgs("--ttl", "60"), "--verbose")...)
	for i := range y.cohorts { // in the order of time, as it was
		c := y.cohorts[len(y.cohorts)-1-i]
		y.add(c)
	}
	y.b.Sh(t, "postsuper -d ALL >/dev/null 2>&1; systemctl reload opendkim")
	y.servers = &nameServersOf{box: y.b, addrs: []string{"192.0.2.10:53", "192.0.2.53:53", "192.0.2.54:53"}}
	y.ledger = &ledgerOf{box: y.b, stamps: map[string]time.Time{}, keys: map[string][]keyring.Key{}}
	name := os.Getenv("MAILSETUP_YEAR")
	if name == "" {
		name = filepath.Join(t.TempDir(), "year")
	}
	var err error
	if y.out, err = os.Create(name); err != nil {
		t.Fatal(err)
	}
	y.begin()
	return y
}

// programWithClock builds the program with the clock that is given to it.
func programWithClock(t *testing.T) string {
	t.Helper()
	built := filepath.Join(t.TempDir(), "mailsetup")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "e2e", "-o", built, "mailsetup/cmd/mailsetup")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// draw makes the cohorts: their keys fall due one cohort after the other, each of
// them at least four times in the year.
func (y *yearOf) draw(zones int) {
	for i := range cohorts {
		c := &cohort{
			every:    time.Duration(60+3*i) * day,
			ttl:      []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 2 * time.Hour}[i%4],
			negative: []time.Duration{time.Minute, 3 * time.Hour, 5 * time.Minute}[i%3],
			drain:    []time.Duration{14 * day, 5 * day}[i%2], revoke: []time.Duration{0, 3 * day, 0, 0}[i%4],
		}
		c.age = c.every - time.Duration(1+6*i)*day
		for n := range zones / cohorts {
			c.domains = append(c.domains, fmt.Sprintf("d%d%03d.example", i, n))
		}
		y.cohorts = append(y.cohorts, c)
	}
	y.cohorts[0].domains = append(y.cohorts[0].domains, control)
	for _, c := range y.cohorts {
		for _, d := range c.domains {
			y.of[d] = c
		}
	}
}

// zones has the first server serve the domains, and the others transfer them.
func (y *yearOf) zones() {
	y.b.Named(y.t, lab.Origin, "@ IN NS ns2", "@ IN NS ns3", "ns2 IN A 192.0.2.53", "ns3 IN A 192.0.2.54")
	y.b.Sh(y.t, "install -d /etc/bind/year")
	var here, there strings.Builder
	fmt.Fprintf(&there, "zone %q { type secondary; primaries { 192.0.2.10; }; file \"db.%[1]s\"; };\n", lab.Origin)
	for _, d := range slices.Sorted(maps.Keys(y.of)) {
		text := fmt.Sprintf("$TTL 300\n@ 10800 IN SOA mail.lab.example. hostmaster 2026010101 3600 900 604800 %.0f\n", y.of[d].negative.Seconds()) +
			"@ IN NS mail.lab.example.\n@ IN NS ns2.lab.example.\n@ IN NS ns3.lab.example.\nwww IN A 192.0.2.80\n"
		if err := os.WriteFile(y.b.Inside(yearZone(d)), []byte(text), 0o644); err != nil {
			y.t.Fatal(err)
		}
		fmt.Fprintf(&here, "zone %q { type primary; file %q; };\n", d, yearZone(d))
		fmt.Fprintf(&there, "zone %q { type secondary; primaries { 192.0.2.10; }; file \"db.%[1]s\"; };\n", d)
	}
	y.b.Write(y.t, "/etc/bind/year.conf", here.String(), 0o644)
	// An hour of the year is a second and less: what BIND does at leisure it does at once.
	y.b.Sh(y.t, `echo 'include "/etc/bind/year.conf";' >>/etc/bind/named.conf.local
sed -i 's/recursion yes;/&\n\tallow-transfer { any; };\n\tnotify-delay 0;\n\tnotify-rate 1000;\n\tstartup-notify-rate 1000;\n\ttransfers-out 200;\n\ttcp-clients 1000;/' /etc/bind/named.conf.options
named-checkconf; systemctl restart named`)
	for _, o := range y.others {
		o.Write(y.t, "/etc/bind/named.conf.options", `options { directory "/var/cache/bind"; recursion no; dnssec-validation no; allow-transfer { any; }; notify no;
	min-retry-time 1; max-retry-time 2; min-refresh-time 60; max-refresh-time 120; transfers-in 100; transfers-per-ns 100; serial-query-rate 1000; };
`, 0o644)
		o.Write(y.t, "/etc/bind/named.conf.local", there.String(), 0o644)
		o.Sh(y.t, "named-checkconf; systemctl restart named")
	}
	for _, o := range []*lab.Box{y.b, y.others[0], y.others[1]} {
		becomes(y.t, o, "dig +short +time=1 +tries=1 @127.0.0.1 NS "+y.cohorts[cohorts-1].domains[0]+" | grep -q ns3")
	}
}

func yearZone(domain string) string { return "/etc/bind/year/db." + domain }

// add adds the domains of a cohort, so long ago that they have the age that they
// should.
func (y *yearOf) add(c *cohort) {
	y.b.Write(y.t, "/root/domains", strings.Join(c.domains, "\n")+"\n", 0o644)
	began := time.Now()
	y.run(-c.age, "add-domain", "--yes", "--dns", "bind", "--key-bits", "1024", "--ttl", fmt.Sprintf("%.0f", c.ttl.Seconds()), "--from-file", "/root/domains")
	y.t.Logf("%d domains added in %.1f s", len(c.domains), time.Since(began).Seconds())
	set := fmt.Sprintf(`-e 's/^rotate_every = .*/rotate_every = "%.0fh"/' -e 's/^drain = .*/drain = "%.0fh"/'`, c.every.Hours(), c.drain.Hours())
	if c.revoke > 0 {
		set += fmt.Sprintf(` -e 's/^revoke = .*/revoke = "%.0fh"/'`, c.revoke.Hours())
	}
	y.b.Sh(y.t, "cd /etc/mailsetup/domains.d; xargs -I @ sed -i "+set+" @.toml </root/domains")
}

// run runs the program at a time of the year, by the wall clock alone.
func (y *yearOf) run(at time.Duration, args ...string) {
	y.t.Helper()
	argv := append([]string{"env", clock.Variable + "=" + at.String() + " 0s", "mailsetup"}, args...)
	if stdout, stderr, code := y.b.Exec(y.t.Context(), nil, argv...); code != 0 {
		y.t.Fatalf("%v: exit %d\n%s\n%s", args, code, stdout, stderr)
	}
}

// now is the time in the year: the hour, and what the tick has taken.
func (y *yearOf) now() time.Duration {
	return time.Duration(y.hour)*time.Hour + time.Since(y.began)
}

// tick is one hour: what befalls the server, a run by the timer, and looks at its mail.
func (y *yearOf) tick() {
	y.began = time.Now()
	y.look(true)
	y.ask(slices.Collect(maps.Keys(y.pending)))
	y.befall()
	r := year.Record{Hour: y.hour}
	y.began = time.Now() // the time of the test is none of the year
	y.switched = y.now()
	y.looked, y.hasSwitched = y.switched, false
	if !y.off() {
		y.rotate(&r)
	}
	y.look(true)
	y.ask(slices.Collect(maps.Keys(y.pending)))
	y.settle()
	y.sign(y.switched)
	y.arrive()
	if y.hour%24 == 23 {
		y.sweep()
	}
	y.write(r)
	y.hour++
}

// look finds the domains whose files changed since the last look, all files or those
// that directories tell of.
func (y *yearOf) look(all bool) (changed []string) {
	at, table := y.now(), y.ledger.table
	y.ledger.read(y.t, all)
	if !maps.Equal(table, y.ledger.table) && !y.hasSwitched {
		y.hasSwitched = true
		y.switched = y.looked
	}
	for _, d := range y.ledger.changed {
		if _, pending := y.pending[d]; !pending || y.agreed(d) {
			y.seen[d] = y.looked
		}
		y.pending[d] = y.hour + 3
	}
	y.meetKeys(y.looked)
	y.looked = at
	return y.ledger.changed
}

// off reports whether the server is off, so that nothing ticks.
func (y *yearOf) off() bool {
	return slices.ContainsFunc(y.faults, func(f *yearFault) bool { return f.off && f.active })
}

// rotate is what the timer runs.
func (y *yearOf) rotate(r *year.Record) {
	ahead := y.start.Add(time.Duration(y.hour) * time.Hour).Sub(y.began)
	ctx, cancel := context.WithTimeout(y.t.Context(), 15*time.Minute)
	defer cancel()
	if at := y.killAfter(); at > 0 {
		ctx, cancel = context.WithTimeout(ctx, at)
		defer cancel()
	}
	var out, errs strings.Builder
	cmd := y.b.Command(ctx, "env", fmt.Sprintf("%s=%v %v", clock.Variable, ahead+y.wrong, ahead), "mailsetup", "rotate-dkim", "--yes")
	cmd.Stdout, cmd.Stderr = &out, &errs
	began, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Run()
	}()
	y.watch(done)
	r.Wall, r.CPU = time.Since(began).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	r.Exit = cmd.ProcessState.ExitCode()
	y.codes[r.Exit]++
	r.Acted = out.Len() > 0
	if r.Exit > 0 && r.Exit != 3 && !y.troubled(30) {
		y.t.Errorf("hour %d: exit %d\n%s%s", y.hour, r.Exit, out.String(), errs.String())
	}
	if r.Exit != 0 {
		fmt.Printf("year: hour %d: exit %d: %.300s\n", y.hour, r.Exit, strings.Join(strings.Fields(errs.String()), " "))
	}
}

// watch looks at what changes while a tick runs: which answers there were when is known
// to a fraction of a second then.
func (y *yearOf) watch(done chan struct{}) {
	asked := map[string]int{}
	for {
		select {
		case <-done:
			return
		case <-time.After(200 * time.Millisecond):
		}
		for _, d := range y.look(false) {
			asked[d] = 50
		}
		if len(asked) == 0 {
			continue
		}
		changed := y.ask(slices.Collect(maps.Keys(asked)))
		for d := range asked {
			if asked[d]--; asked[d] <= 0 || slices.Contains(changed, d) && y.agreed(d) {
				delete(asked, d)
			}
		}
	}
}

// write notes the hour.
func (y *yearOf) write(r year.Record) {
	r.Stages, r.Gap, r.Control = y.ledger.stages(), (y.worst.To - y.worst.From).Seconds(), y.control.Seconds()
	for _, f := range y.faults {
		if f.active {
			r.Faults = append(r.Faults, f.name)
		}
	}
	if err := json.NewEncoder(y.out).Encode(r); err != nil {
		y.t.Fatal(err)
	}
	if y.hour%24 == 23 {
		fmt.Printf("year: day %d: %v, codes %v, %d pending, %d unproven, %d verified, worst %v %s, control %v, %.2f s a tick\n",
			y.hour/24, r.Stages, y.codes, len(y.pending), len(y.unproven), y.verified, y.worst.To-y.worst.From, y.whose, y.control, r.Wall)
	}
}
