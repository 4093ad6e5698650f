package recordwatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

var start = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("d%05d.example", i)
	}
	return list
}

// Of ten thousand domains each has its turn within a day, in every day, and no
// tick looks at many more than a 24th of them.
func TestEachDomainOnceADay(t *testing.T) {
	for _, n := range []int{1, 20, 21, 500, 10000} {
		domains, s, last := names(n), Schedule{}, map[string]time.Time{}
		for hour := range 24 * 3 {
			now := start.Add(time.Duration(hour) * time.Hour).Add(time.Duration(hour*7%30) * time.Minute) // RandomizedDelaySec
			due := s.Due(domains, now)
			if most := max(20, n/22*3/2+2); len(due) > most {
				t.Fatalf("%d domains: %d at once", n, len(due))
			}
			for _, d := range due {
				if at, ok := last[d]; ok && now.Sub(at) > 25*time.Hour {
					t.Fatalf("%d domains: %s waited for %v", n, d, now.Sub(at))
				}
				last[d] = now
			}
			if s = s.Next(domains, due, nil, now); hour%12 == 0 {
				s = roundTrip(t, s)
			}
			if hour == 24 && len(last) != n {
				t.Fatalf("%d of %d domains in the first day", len(last), n)
			}
		}
	}
}

func roundTrip(t *testing.T, s Schedule) Schedule {
	t.Helper()
	back, err := ParseSchedule(s.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// A tick right after another one looks at twenty, not at a day's portion; after a
// week without power it makes up for an hour and a half.
func TestPortions(t *testing.T) {
	domains := names(10000)
	s := Schedule{}.Next(domains, nil, nil, start)
	for elapsed, want := range map[time.Duration]int{time.Second: 20, time.Hour: 455, 7 * 24 * time.Hour: 682, -time.Hour: 455} {
		if got := len(s.Due(domains, start.Add(elapsed))); got != want {
			t.Errorf("after %v: %d, want %d", elapsed, got, want)
		}
	}
}

// What was not right comes first, and the order of the others does not depend on
// that of their names.
func TestOrder(t *testing.T) {
	domains := names(1000)
	s := Schedule{}.Next(domains, domains[:990], domains[5:8], start)
	due := s.Due(domains, start.Add(time.Hour))
	if !sameSet(due[:3], domains[5:8]) {
		t.Errorf("first: %v", due[:3])
	}
	if !sameSet(due[3:13], domains[990:]) {
		t.Errorf("then those never looked at: %v", due[3:13])
	}
	if slices.IsSorted(due[13:]) {
		t.Error("sorted by name: domains of one customer would share an hour")
	}
	s = s.Next(domains, due, nil, start.Add(time.Hour))
	if len(s.Faulty) != 0 {
		t.Errorf("still wrong: %v", s.Faulty)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// world is what two name servers have, by ID; "" for a record that is not there.
type world struct {
	has    [2]map[string]string
	silent [2]bool
	looks  int
	wait   time.Duration
}

// records are those that one domain wants.
func records(domain string) []state.Record {
	return []state.Record{
		{Name: domain + ".", Type: "MX", Value: "10 mail.example."},
		{Name: domain + ".", Type: "TXT", Value: "v=spf1 mx ~all"},
		{Name: "s1._domainkey." + domain + ".", Type: "TXT", Value: "v=DKIM1; p=AAAA"},
	}
}

func key(domain string) string { return "s1._domainkey." + domain + " TXT" }

func newWorld(domains ...string) *world {
	w := &world{}
	for i := range w.has {
		w.has[i] = map[string]string{}
		for _, d := range domains {
			for _, r := range records(d) {
				w.has[i][ID(r)] = r.Value
			}
		}
	}
	return w
}

// set makes both servers say something else.
func (w *world) set(id, value string) { w.has[0][id], w.has[1][id] = value, value }

// check is a Checker.
func (w *world) check(ctx context.Context, want dnscheck.Expected) dnscheck.Result {
	w.looks++
	if w.wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(w.wait):
		}
	}
	v := dnscheck.Result{Domain: want.Domain}
	for i := range w.has {
		s := dnscheck.ServerResult{NameServer: dnsclient.NameServer{Name: fmt.Sprintf("ns%d.example", i+1)}, Zone: want.Domain + "."}
		if w.silent[i] || ctx.Err() != nil {
			s.ServerProblem = dnsclient.Finding{Fault: dnsclient.NoAnswer, Text: "it does not answer"}
			v.Servers = append(v.Servers, s)
			continue
		}
		for _, r := range want.Records {
			is := dnscheck.RecordResult{ExpectedRecord: dnscheck.ExpectedRecord{Record: r}}
			switch value := w.has[i][ID(r)]; value {
			case r.Value:
			case "":
				is.Finding = dnsclient.Finding{Fault: dnscheck.Missing, Text: "missing"}
			default:
				is.Finding = dnsclient.Finding{Fault: dnscheck.Different, Text: "another value"}
			}
			s.Records = append(s.Records, is)
		}
		v.Servers = append(v.Servers, s)
	}
	return v
}

// machine is a server whose ticks are looked at, with the files that it keeps.
type machine struct {
	t       *testing.T
	w       *world
	now     time.Time
	kept    map[string]keyring.LastCheck
	domains []string
	restore func(domains []string) map[string]error
	judged  map[string][]state.Record
	saves   int
	lost    []state.Path
}

func newMachine(t *testing.T, domains ...string) *machine {
	return &machine{t: t, w: newWorld(domains...), now: start, kept: map[string]keyring.LastCheck{}, domains: domains}
}

// tick goes on in time and looks.
func (m *machine) tick(later time.Duration) map[string]Result {
	m.t.Helper()
	m.now = m.now.Add(later)
	var list []Domain
	for _, d := range m.domains {
		list = append(list, Domain{Expected: dnscheck.Expected{Domain: d, Records: records(d)}, Signing: []string{key(d)}, Last: m.kept[d]})
	}
	tick := Tick{
		LostFiles: func(string) []state.Path { return m.lost }, Check: m.w.check, Limits: Limits{AtOnce: 1, PerDomain: time.Minute, Total: time.Hour}, Now: m.now,
		ExpectedRecords: func(context.Context, []string) (map[string][]state.Record, error) { return m.judged, nil },
		Save: func(results map[string]Result) error {
			m.saves++
			for d, r := range results {
				c, err := keyring.ParseLastCheck(keyring.MarshalLastCheck(keyring.LastCheck{At: m.now, Watch: r.Watch}))
				if err != nil {
					m.t.Fatal(err)
				}
				m.kept[d] = c
			}
			return nil
		},
	}
	if m.restore != nil {
		tick.Restore = func(_ context.Context, domains []string) map[string]error { return m.restore(domains) }
	}
	results, err := tick.Run(m.t.Context(), list)
	if err != nil {
		m.t.Fatal(err)
	}
	return results
}

// said is a result in a line.
func said(r Result, now time.Time) string {
	var b strings.Builder
	if r.Notify {
		b.WriteString("tell ")
	}
	if r.Restored != nil {
		b.WriteString("restored ")
	}
	if r.Failed != nil {
		b.WriteString("failed: " + r.Failed.Error() + " ")
	}
	counts := r.Reportable(now)
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "[%s: %s] ", id, counts[id].Text)
	}
	return strings.TrimSpace(b.String())
}

const lab = "lab.example"

// The record of a signing key is told of at once, then weekly, and when it becomes
// another fault; it is silent about what is back.
func TestGoneKeyIsToldOnceAWeek(t *testing.T) {
	m := newMachine(t, lab)
	expect := func(later time.Duration, want string) {
		t.Helper()
		if got := said(m.tick(later)[lab], m.now); got != want {
			t.Errorf("%v: %q, want %q", m.now.Sub(start), got, want)
		}
	}
	const gone = "[s1._domainkey.lab.example TXT: missing at ns1.example, ns2.example]"
	expect(0, "")
	m.w.set(key(lab), "")
	expect(time.Hour, "tell "+gone)
	for range 24*7 - 1 {
		expect(time.Hour, gone)
	}
	expect(time.Hour, "tell "+gone)
	m.w.set(key(lab), "v=DKIM1; p=BBBB")
	expect(time.Hour, "[s1._domainkey.lab.example TXT: another value at ns1.example, ns2.example]")
	expect(24*time.Hour, "tell [s1._domainkey.lab.example TXT: another value at ns1.example, ns2.example]")
	for range 12 { // comes and goes
		m.w.set(key(lab), "v=DKIM1; p=AAAA")
		expect(time.Hour, "")
		m.w.set(key(lab), "")
		want := gone
		if m.now.Sub(start) == 217*time.Hour { // a day after it was told at hour 194
			want = "tell " + gone
		}
		expect(time.Hour, want)
	}
}

// A key that was never seen counts; a policy that never stood is not ours to watch.
func TestPolicies(t *testing.T) {
	m := newMachine(t, lab)
	m.w.set("lab.example TXT", "")
	m.w.set("lab.example MX", "")
	m.w.set(key(lab), "")
	r := m.tick(0)[lab]
	if got := said(r, m.now); got != "tell [s1._domainkey.lab.example TXT: missing at ns1.example, ns2.example]" {
		t.Error(got)
	}
	m.w = newWorld(lab)
	m.tick(time.Hour)
	m.w.set("lab.example TXT", "")
	m.w.set("lab.example MX", "")
	if got := said(m.tick(time.Hour)[lab], m.now); got != "tell [lab.example MX: missing at ns1.example, ns2.example] [lab.example TXT: missing at ns1.example, ns2.example]" {
		t.Error(got)
	}
}

// Another policy in the place of ours is judged beside what is there: right, it is
// watched in its place.
func TestOwnPolicy(t *testing.T) {
	m := newMachine(t, lab)
	m.tick(0)
	m.w.set("lab.example TXT", "v=spf1 ?all")
	m.judged = map[string][]state.Record{lab: records(lab)}
	if got := said(m.tick(time.Hour)[lab], m.now); got != "tell [lab.example TXT: another value at ns1.example, ns2.example]" {
		t.Errorf("wrong: %s", got)
	}
	own := records(lab)
	own[1].Value = "v=spf1 include:x.example mx ~all"
	m.judged = map[string][]state.Record{lab: own}
	m.w.set("lab.example TXT", own[1].Value)
	if got := said(m.tick(time.Hour)[lab], m.now); got != "" {
		t.Errorf("right: %s", got)
	}
	m.judged = nil
	if got := said(m.tick(time.Hour)[lab], m.now); got != "" || m.w.looks != 6 {
		t.Errorf("right, and known: %s, %d looks", got, m.w.looks)
	}
	m.w.set("lab.example TXT", "")
	if got := said(m.tick(24 * time.Hour)[lab], m.now); got != "tell [lab.example TXT: missing at ns1.example, ns2.example]" {
		t.Errorf("gone: %s", got)
	}
}

// One server that is silent, or behind, is no record that is gone; it is told once
// it has lasted a day.
func TestDoubtLastsADay(t *testing.T) {
	for name, do := range map[string]func(w *world){
		"silent":          func(w *world) { w.silent[1] = true },
		"silent and gone": func(w *world) { w.silent[1], w.has[0][key(lab)] = true, "" },
		"all silent":      func(w *world) { w.silent = [2]bool{true, true} },
		"behind":          func(w *world) { w.has[1][key(lab)] = "" },
	} {
		m := newMachine(t, lab)
		m.restore = func([]string) map[string]error { t.Errorf("%s: restores", name); return nil }
		m.tick(0)
		do(m.w)
		for hour := range 23 {
			if r := m.tick(time.Hour)[lab]; r.Notify || len(r.Reportable(m.now)) > 0 {
				t.Errorf("%s, hour %d: %s", name, hour, said(r, m.now))
			}
		}
		if r := m.tick(time.Hour)[lab]; !r.Notify {
			t.Errorf("%s, after a day: nothing", name)
		}
		if r := m.tick(time.Hour)[lab]; r.Notify {
			t.Errorf("%s: twice", name)
		}
		m.w = newWorld(lab)
		m.tick(time.Hour)
		do(m.w)
		if r := m.tick(time.Hour)[lab]; r.Notify {
			t.Errorf("%s: a new doubt counts at once", name)
		}
	}
}

// Something takes the record out in every hour of ten weeks: it is put back ten
// times, and everything else is told, at most once a week.
func TestRestoresOnceAWeek(t *testing.T) {
	m := newMachine(t, lab)
	restored, told := 0, 0
	m.restore = func(domains []string) map[string]error {
		restored++
		if c := m.kept[lab]; !keyring.Recently(c.Watch.Restored[key(lab)], m.now, time.Minute) {
			t.Error("nothing was written down before")
		}
		m.w.set(key(lab), "v=DKIM1; p=AAAA")
		return map[string]error{domains[0]: nil}
	}
	m.tick(0)
	for range 10 * 7 * 24 {
		m.w.set(key(lab), "")
		r := m.tick(time.Hour)[lab]
		if r.Notify {
			told++
		}
		if r.Restored != nil && (len(r.Reportable(m.now)) > 0 || r.Restored[key(lab)].Text != "missing at ns1.example, ns2.example") {
			t.Fatalf("%+v", r)
		}
	}
	if restored != 10 || told != 20 {
		t.Errorf("restored %d times, told %d times", restored, told)
	}
}

// What cannot be put back is tried once a week as well, and told.
func TestRestoreFails(t *testing.T) {
	m := newMachine(t, lab)
	tried := 0
	m.restore = func(domains []string) map[string]error {
		tried++
		return map[string]error{lab: errors.New("edited by hand")}
	}
	m.w.set(key(lab), "")
	if got := said(m.tick(0)[lab], m.now); got != "tell failed: edited by hand [s1._domainkey.lab.example TXT: missing at ns1.example, ns2.example]" {
		t.Error(got)
	}
	for range 7*24 - 1 {
		m.tick(time.Hour)
	}
	if tried != 1 {
		t.Errorf("tried %d times in a week", tried)
	}
	m.restore = func([]string) map[string]error { tried++; return nil } // published by hand
	for range 3 {
		m.tick(time.Hour)
	}
	if tried != 4 {
		t.Errorf("asked %d times whether it is ours", tried-1)
	}
}

// Slow name servers cost one tick its time and no more; what it did not get to is
// not taken for seen.
func TestSlow(t *testing.T) {
	w := newWorld()
	w.wait = time.Hour
	var wanted []dnscheck.Expected
	for _, d := range names(100) {
		wanted = append(wanted, dnscheck.Expected{Domain: d, Records: records(d)})
	}
	seen := checkAll(t.Context(), w.check, wanted, Limits{AtOnce: 1, PerDomain: 30 * time.Millisecond, Total: 200 * time.Millisecond})
	if len(seen) == 0 || len(seen) > 7 || w.looks > 8 {
		t.Errorf("%d seen, %d looks", len(seen), w.looks)
	}
}

// BenchmarkSchedule is what a tick costs beside its looks, with ten thousand
// domains.
func BenchmarkSchedule(b *testing.B) {
	domains := names(10000)
	text := Schedule{}.Next(domains, domains, nil, start).Marshal()
	for b.Loop() {
		s, err := ParseSchedule(text)
		if err != nil {
			b.Fatal(err)
		}
		now := start.Add(time.Hour)
		text = s.Next(domains, s.Due(domains, now), nil, now).Marshal()
	}
}

// A file of ours that is gone is put back while the name server has not noticed.
func TestLostFile(t *testing.T) {
	m := newMachine(t, lab)
	m.tick(0)
	m.lost = []state.Path{"/etc/bind/mailsetup/lab.example.zone"}
	m.restore = func(domains []string) map[string]error { m.lost = nil; return map[string]error{domains[0]: nil} }
	if r := m.tick(time.Hour)[lab]; said(r, m.now) != "tell restored" || r.Restored["file /etc/bind/mailsetup/lab.example.zone"].Fault != "no file" {
		t.Errorf("%s %+v", said(r, m.now), r.Restored)
	}
	m.lost = []state.Path{"/etc/bind/mailsetup/lab.example.zone"}
	if got := said(m.tick(time.Hour)[lab], m.now); got != "tell [file /etc/bind/mailsetup/lab.example.zone: is gone: the name server will refuse the zone when it starts again]" {
		t.Errorf("again: %s", got)
	}
}
