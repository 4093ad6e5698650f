package rotation_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// rotator returns the rotator of the server, with fakes of all that it asks.
func (s *server) rotator() *rotation.Rotator {
	return &rotation.Rotator{
		System: s.mem, Mailbox: s.mailbox, Spec: s.sp, Clock: func() time.Time { return s.now },
		Store: memory{s}, DNS: func() rotation.DNS { return world{s} }, Provisioner: provisioner{s}, UI: &s.ui, Alert: s.ui.alert,
	}
}

// memory keeps what runs remember.
type memory struct{ *server }

func (s memory) LoadLedger() (keyring.Ledger, plan.FileHashes, error) {
	return s.ledger(), s.record(), s.broken
}

func (s memory) LoadElapsed(l keyring.Ledger) (keyring.Elapsed, error) {
	s.passed = s.passed.Advance(l, keyring.BootTime{Boot: "b", At: s.now.Sub(s.boot)})
	return s.passed, nil
}

func (s memory) SaveElapsed(p keyring.Elapsed) error { s.passed = p; return nil }

func (s memory) LastCheck(domain string) keyring.LastCheck { return s.checks[domain] }

func (s memory) LastChecks() (map[string]keyring.LastCheck, error) { return s.checks, nil }

func (s memory) SaveChecks(results map[string]recordwatch.Result) error {
	for domain, r := range results {
		s.checks[domain] = keyring.LastCheck{At: s.now, Watch: r.Watch}
	}
	return nil
}

func (s memory) LoadSchedule() (schedule recordwatch.Schedule, unreadable, err error) {
	return s.schedule, nil, nil
}

func (s memory) SaveSchedule(schedule recordwatch.Schedule) error {
	s.server.schedule = schedule
	return nil
}

// world is what one name server of each zone has.
type world struct{ *server }

func (w world) ObserveKey(ctx context.Context, d spec.Domain, k keyring.Key) keyring.Observation {
	w.observations.Add(1)
	if d.Name == w.silent {
		<-ctx.Done()
		return keyring.Observation{Problem: "ns1.lab.example: it does not answer"}
	}
	if text := w.missing[k.Selector+" "+d.Name]; text != "" {
		return keyring.Observation{Problem: text}
	}
	if k.Stage == keyring.Revoked {
		k.Public = ""
	}
	if !w.has(d.Name, k) {
		return keyring.Observation{Problem: "ns1.lab.example: missing"}
	}
	return keyring.Observation{Published: true, MaxCacheTTL: 10 * time.Minute}
}

func (w world) Check(_ context.Context, wanted dnscheck.Expected) dnscheck.Result {
	server := dnscheck.ServerResult{NameServer: dnsclient.NameServer{Name: "ns1.lab.example", Address: "192.0.2.53:53"}, Zone: wanted.Domain + "."}
	for _, r := range wanted.Records {
		v := dnscheck.RecordResult{ExpectedRecord: dnscheck.ExpectedRecord{Domain: wanted.Domain, Record: r}}
		if !w.publishes(r) {
			v.Finding = dnsclient.Finding{Fault: dnscheck.Missing, Text: "missing"}
		}
		server.Records = append(server.Records, v)
	}
	return dnscheck.Result{Domain: wanted.Domain, Servers: []dnscheck.ServerResult{server}}
}

// publishes reports whether a record is served, or was published by hand.
func (w world) publishes(r state.Record) bool {
	if selector, domain, isKey := strings.Cut(r.Name, "._domainkey."); isKey && w.hand[strings.TrimSuffix(domain, ".")][selector] == r.Value {
		return true
	}
	return slices.ContainsFunc(w.origins(), func(origin string) bool {
		return slices.ContainsFunc(w.served(origin), func(x state.Record) bool { return state.Same(x, r) })
	})
}

// provisioner plans with the steps of the product, and applies to the memory.
type provisioner struct{ *server }

func (p provisioner) Gather(context.Context, provision.Request) (state.Facts, error) {
	p.gathered++
	facts := p.input().Facts
	for i := range facts.Zones {
		facts.Zones[i].Problem = p.unusable[facts.Zones[i].Origin]
	}
	return facts, nil
}

func (p provisioner) Plan(_ context.Context, r provision.Request) (*provision.Draft, error) {
	in := step.Input{
		Spec: r.Want, Facts: r.Facts, Ledger: r.Keys.Ledger, Now: p.now, Consents: map[string]bool{}, Scope: r.Scope,
		Keys: step.KeyChanges{Private: map[state.Path][]byte{}, Withdraw: r.Keys.Withdraw},
	}
	if r.Keys.After != nil {
		in.Ledger, in.Keys.During = r.Keys.After, r.Keys.During
	}
	touched := slices.DeleteFunc(slices.Clone(r.Want.Domains), func(d spec.Domain) bool { return !r.Scope.Includes(d.Name) })
	err := dkimkeys.CheckAll(p.mem, touched, r.Keys.Ledger, func(domain string, _ keyring.Key) bool { return r.Keys.Replaced[domain] })
	if err != nil {
		return nil, err
	}
	var fresh []dkimkeys.Pair
	for _, domain := range r.Keys.Successors {
		fresh = append(fresh, p.successor(domain))
	}
	dkimkeys.AddPairs(&in, fresh)
	made, err := p.plan(in, r.Steps)
	p.fresh = fresh
	return &provision.Draft{Request: r, Plan: made, Input: in}, err
}

// successor returns the key that a domain gets: one that was made for a run that
// was undone serves the next.
func (s *server) successor(domain string) dkimkeys.Pair {
	d, _ := s.domain(domain)
	if s.successors[domain].Key.Stage != keyring.Publishing || slices.ContainsFunc(s.ledger()[domain], func(k keyring.Key) bool { return k.Selector == s.successors[domain].Key.Selector }) {
		s.successors[domain] = s.pair(d)
	}
	return s.successors[domain]
}

func (p provisioner) Confirm(_ context.Context, d *provision.Draft) error {
	p.confirmed = append(p.confirmed, d.Plan)
	if p.refuse {
		return errors.New("not confirmed: nothing was changed")
	}
	return nil
}

func (p provisioner) Run(_ context.Context, d *provision.Draft) (provision.Result, error) {
	p.count(d.Request)
	p.attempts = append(p.attempts, d.Scope.Selection()...)
	p.until = d.Keys.Until
	unmade := state.DomainErrors{}
	for _, domain := range d.Keys.Successors {
		if p.late[domain] {
			unmade[domain] = provision.ErrNoTime
		}
	}
	if len(unmade) > 0 {
		return provision.Result{}, unmade
	}
	report, err := p.carryOut(d.Plan, d.Input, d.Steps, p.fresh)
	for _, f := range p.fresh {
		p.successors[f.Domain] = f
	}
	return provision.Result{Report: report, Notes: d.Plan.Notes}, err
}

func (p provisioner) ExpectedRecords(_ context.Context, domains []string) (map[string][]state.Record, error) {
	all := map[string][]state.Record{}
	for _, name := range domains {
		d, _ := p.domain(name)
		all[name] = dns.ServedRecords(p.input(), d)
	}
	return all, nil
}

// count takes note of which transitions met in a run.
func (s *server) count(r provision.Request) {
	var all []string
	note := func(domain, what string) {
		d, _ := s.domain(domain)
		all = append(all, fmt.Sprintf("%s %s", cmp.Or(string(d.DNS), "gone"), what))
	}
	for _, domain := range r.Keys.Successors {
		note(domain, "new")
	}
	for domain, selectors := range r.Keys.Withdraw {
		for range selectors {
			note(domain, "withdrawn")
		}
	}
	for domain, keys := range r.Keys.After {
		for i, k := range keys {
			if before := r.Keys.Ledger[domain][i]; before.Stage != k.Stage {
				note(domain, string(k.Stage))
			}
		}
	}
	slices.Sort(all)
	s.moves[strings.Join(all, ", ")]++
}

// ui takes down what people are told.
type ui struct {
	said, alerts, transitions []string
	shown                     []plan.Plan
	results                   []provision.Result
}

func (u *ui) Logf(format string, a ...any)       { u.said = append(u.said, fmt.Sprintf(format, a...)) }
func (u *ui) alert(lines []string)               { u.alerts = append(u.alerts, lines...) }
func (u *ui) ShowTransitions(lines []string)     { u.transitions = append(u.transitions, lines...) }
func (u *ui) ShowPlan(p plan.Plan)               { u.shown = append(u.shown, p) }
func (u *ui) ShowResult(r provision.Result)      { u.results = append(u.results, r) }
func (u *ui) StartBar(string, int) (_, _ func()) { return func() {}, func() {} }

// text is all that was said, on one line.
func (u *ui) text() string { return strings.Join(strings.Fields(strings.Join(u.said, " ")), " ") }
