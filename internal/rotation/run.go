// Package rotation takes DKIM keys through their lives: one run takes the steps
// that are safe now, for all domains at once, and goes on without those that fail.
package rotation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/eximcheck"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// Options are the flags of a rotation.
type Options struct {
	Domains     []string // none: all
	Force       bool     // begin a rotation that is not due
	All         bool     // of all domains, where Domains names none and there are several
	Compromised bool     // others may have the private keys of Domains
	DryRun      bool     // plan the first round, and change nothing
	Brief       bool     // of the plan of a dry run about very many only the summary is told
	// Within is how long work is begun, half an hour if it is zero: what is left has its
	// turn in the next run.
	Within time.Duration
}

// asksForStep reports whether a person requests a step, and so wants to know what it
// waits for.
func (o Options) asksForStep() bool { return o.Force || o.Compromised }

// Rotator rotates the keys of one machine.
type Rotator struct {
	Machine *machine.Machine // for what is not of this package; nil in tests
	System  system.System
	Tree    bool   // a directory, in which nothing signs: keys are only withdrawn
	Mailbox string // of root, see notify.ToRoot
	Spec    spec.Spec
	// Unreadable is why the files of other domains cannot be used. Their keys go on as
	// they are, and no run renders tables without them.
	Unreadable map[string]error
	Clock      func() time.Time // called when a round begins

	Store       Store
	DNS         func() DNS // with an empty cache
	Provisioner Provisioner
	UI          UI
	// Alert says lines that must stand out in the journal of the system.
	Alert func(lines []string)
}

// Known returns what was read of the domains when the machine was opened.
func (r *Rotator) Known() store.Earlier { return store.Earlier{Spec: &r.Spec} }

// Store reads and writes files of mailsetup.
type Store interface {
	// LoadLedger returns the keys of all domains, and hashes of what earlier runs
	// wrote.
	LoadLedger() (keyring.Ledger, plan.FileHashes, error)
	// LoadElapsed returns how long keys have certainly been in their stages, up to
	// now.
	LoadElapsed(keyring.Ledger) (keyring.Elapsed, error)
	SaveElapsed(keyring.Elapsed) error
	// LastCheck returns what was last seen of a domain's records.
	LastCheck(domain string) keyring.LastCheck
	// LastChecks returns that of all domains.
	LastChecks() (map[string]keyring.LastCheck, error)
	SaveChecks(map[string]recordwatch.Result) error
	LoadSchedule() (schedule recordwatch.Schedule, unreadable, err error)
	SaveSchedule(recordwatch.Schedule) error
}

// DNS queries name servers.
type DNS interface {
	// ObserveKey asks every server in charge, and then the resolver, for the record
	// of a key.
	ObserveKey(ctx context.Context, d spec.Domain, k keyring.Key) keyring.Observation
	// Check asks every server in charge for records.
	Check(ctx context.Context, want dnscheck.Expected) dnscheck.Result
}

// NewDNS returns a DNS that uses a client.
func NewDNS(c *dnsclient.Client) DNS { return nameServers{c} }

type nameServers struct{ *dnsclient.Client }

func (n nameServers) ObserveKey(ctx context.Context, d spec.Domain, k keyring.Key) keyring.Observation {
	return dnscheck.ObserveKey(ctx, n.Client, d.Name, d.TTL, k)
}

func (n nameServers) Check(ctx context.Context, want dnscheck.Expected) dnscheck.Result {
	return dnscheck.Check(ctx, n.Client, want, dnscheck.Result{})
}

// Provisioner carries out requests.
type Provisioner interface {
	// Gather returns the facts that a request needs.
	Gather(ctx context.Context, r provision.Request) (state.Facts, error)
	Plan(ctx context.Context, r provision.Request) (*provision.Draft, error)
	Confirm(ctx context.Context, d *provision.Draft) error
	Run(ctx context.Context, d *provision.Draft) (provision.Result, error)
	// ExpectedRecords returns the records that name servers should have of domains,
	// beside those of the administrator.
	ExpectedRecords(ctx context.Context, domains []string) (map[string][]state.Record, error)
}

// UI shows people what a run does.
type UI interface {
	// Logf says a line.
	Logf(format string, a ...any)
	// ShowTransitions prints what a round is about to do, a line each.
	ShowTransitions(lines []string)
	// ShowPlan prints a plan that needs no confirmation any more.
	ShowPlan(p plan.Plan)
	// ShowResult prints what a round did.
	ShowResult(r provision.Result)
	// StartBar begins to count domains whose records are looked for.
	StartBar(what string, total int) (step, end func())
}

// run is one run of a Rotator.
type run struct {
	*Rotator
	Options
	keyState
	*skipped
	round

	domains   []string // that the run is about, sorted, none for all
	marked    []string // whose keys are compromised since this run
	hashes    plan.FileHashes
	consented bool // a person agreed to a plan of this run
	until     deadline
	lost      error // what failed for so many domains that no other one is tried
	report    *Report
}

// round is the state of one round of a run.
type round struct {
	due   Transitions
	facts state.Facts
}

// Run takes the steps that are safe now. The report is nil if the run did not reach its
// end; with a *SkippedError it reached it without some domains.
func (r *Rotator) Run(ctx context.Context, o Options) (*Report, error) {
	t, err := r.open(o)
	if err != nil {
		return nil, err
	}
	watched, watchErr := (&watcher{run: t}).watch(ctx)
	if isFatal(watchErr) {
		return nil, watchErr
	}
	acted, err := t.allRounds(ctx)
	if err != nil {
		return nil, err
	}
	t.reportMissingKeyFiles(watched)
	err = t.finish(ctx, acted)
	return t.report, cmp.Or(t.skipped.err(), err, watchErr, askExim(ctx, t))
}

// askExim returns the error of an exim4 that does not sign as it should, and mails it to root:
// Exim tells nobody but its log.
func askExim(ctx context.Context, r *run) error {
	if !r.scheduled() || r.Spec.Host.MTA != spec.Exim {
		return nil
	}
	in := step.Input{Spec: r.Spec, Ledger: r.ledger, Now: r.now}
	err := cmp.Or(provision.AskExim(ctx, r.System, in), eximcheck.Files(r.System, in))
	if ctx.Err() != nil { // which says nothing of Exim
		return err
	}
	if text := eximcheck.Tell(r.System, err, r.now); text != "" {
		mailText{"exim4 does not sign as it should", text}.sendToRoot(ctx, r)
	}
	return err
}

// open reads what a run begins with.
func (r *Rotator) open(o Options) (*run, error) {
	t := &run{
		Rotator: r, Options: o, domains: slices.Sorted(slices.Values(o.Domains)), report: &Report{},
		keyState: keyState{spec: r.Spec, tree: r.Tree, force: o.Force, now: r.Clock()},
		skipped:  &skipped{logf: r.UI.Logf, failed: map[string]bool{}},
		until:    deadline{time.Now().Add(cmp.Or(o.Within, defaultWithin))},
	}
	if err := t.reload(); err != nil {
		return nil, err
	}
	return t, t.checkDomains()
}

// defaultWithin leaves the other half of TimeoutStartSec (mailsetup-rotate.service) to
// what has begun: systemd ends a run after an hour, and such a run is undone.
const defaultWithin = 30 * time.Minute

// deadline is when no more work is to begin, by the monotonic clock.
type deadline struct{ time.Time }

func (d deadline) passed() bool { return time.Now().After(d.Time) }

// reload reads the ledger as it is on disk.
func (r *run) reload() (err error) {
	r.ledger, r.hashes, err = r.Store.LoadLedger()
	return err
}

// checkDomains refuses domains without keys, or whose keys cannot get a successor.
func (r *run) checkDomains() error {
	if signed := r.signedDomains(); r.Force && !r.All && !r.DryRun && len(signed) > 1 && len(r.domains) == 0 {
		return hint.NewUsage("mailsetup rotate-dkim --now "+signed[0]+"\nmailsetup rotate-dkim --now --all",
			"--now names no domain, and there are %d: each would get a new key", len(signed))
	}
	for _, name := range r.domains {
		keys := keyring.Existing(r.ledger[name])
		_, signs := keyring.Ledger{name: keys}.Signing(name)
		active := slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Stage == keyring.Active })
		switch begins := r.asksForStep(); {
		case len(keys) == 0:
			return hint.NewUsage("mailsetup list shows the domains", "%s has no keys here", name)
		case begins && !signs:
			return hint.NewUsage("mailsetup remove-domain "+name+" --purge takes at once what is left of its keys",
				"%s was removed: no key signs for it that another one could replace", name)
		case begins && !active:
			return hint.NewUsage("mailsetup init", "the first key of %s is not finished", name)
		}
	}
	return nil
}

// includes reports whether the run is about a domain.
func (r *run) includes(domain string) bool {
	_, named := slices.BinarySearch(r.domains, domain)
	return !r.failed[domain] && (named || len(r.domains) == 0)
}

// scheduled reports whether the run is a timer's: nobody asked for anything.
func (r *run) scheduled() bool { return len(r.Domains) == 0 && !r.Force && !r.DryRun && !r.Tree }

// maxRounds bounds the steps of one run: a key takes few, and the rest is
// waiting.
const maxRounds = 6

// compromiseWait is how long a run waits for the name servers while a compromised
// key signs, and compromisePause the time between two looks; later runs go on.
const (
	compromiseWait  = 2 * time.Minute
	compromisePause = 3 * time.Second
)

// loadElapsed adds the time that passed to that in the stages. In a directory only the
// wall clock is known.
func (r *run) loadElapsed() (err error) {
	if !r.Tree {
		r.elapsed, err = r.Store.LoadElapsed(r.ledger)
	}
	return err
}

// planTransitions gathers the due steps of all domains.
func (r *run) planTransitions() {
	missing := r.skipWithoutFile()
	for _, domain := range sortedKeys(r.ledger) {
		if !r.includes(domain) {
			continue
		}
		moves := keyring.Next(r.situation(domain))
		if err := r.noSlot(domain); err != nil {
			r.skip(err, domain)
			continue
		}
		if !r.looked(domain) { // what is not known is no reason to wait again
			moves = slices.DeleteFunc(moves, func(m keyring.Transition) bool { return m.Action == keyring.LostPublished })
		}
		if missing { // to activate a key makes the tables anew
			moves = slices.DeleteFunc(moves, func(m keyring.Transition) bool { return m.Action == keyring.Activate })
		}
		if r.Tree {
			moves = slices.DeleteFunc(moves, func(m keyring.Transition) bool { return m.Action != keyring.Withdraw })
		}
		if len(moves) == 0 {
			continue
		}
		r.due[domain] = moves
	}
	unusable := unusableSuccessors(r.System, r.ledger, r.due)
	for _, domain := range sortedKeys(unusable) {
		r.skip(unusable[domain], domain)
	}
}

// unusableSuccessors returns the errors of keys that are due to sign and that OpenDKIM
// would refuse, or that are not those in DNS: mail would be deferred, or not verify.
func unusableSuccessors(files system.Reader, ledger keyring.Ledger, due Transitions) map[string]error {
	begins := func(m keyring.Transition) bool { return m.Action == keyring.Activate }
	domains := slices.DeleteFunc(due.Domains(), func(d string) bool { return !slices.ContainsFunc(due[d], begins) })
	errs := make([]error, len(domains))
	_ = parallel.Do(len(domains), runtime.GOMAXPROCS(0), func(i int) error {
		next, _ := keyring.Successor(ledger[domains[i]])
		errs[i] = dkimkeys.CheckContent(files, domains[i], next)
		return nil
	})
	unusable := map[string]error{}
	for i, d := range domains {
		if errs[i] != nil {
			unusable[d] = errs[i]
		}
	}
	return unusable
}

// skipWithoutFile skips domains whose file is gone or cannot be used, and reports
// whether there are any: their keys sign until somebody agrees to remove them.
func (r *run) skipWithoutFile() bool {
	names := step.WithoutFile(r.ledger, r.Spec)
	for _, name := range sortedKeys(r.Unreadable) {
		if !r.failed[name] {
			r.skip(r.Unreadable[name], name)
		}
	}
	for _, name := range names {
		if !r.failed[name] {
			r.skip(hint.New(fmt.Sprintf("mailsetup add-domain %s brings it back, with the same key\nmailsetup remove-domain %s ends it", name, name),
				"%s is gone: no key is switched until that is settled", spec.DomainFile(name)), name)
		}
	}
	return len(names)+len(r.Unreadable) > 0
}

// skipUnusableZones skips domains with records in a zone that cannot be edited at the
// moment.
func (r *run) skipUnusableZones() {
	for _, domain := range r.due.Domains() {
		for z := range r.facts.Zones.Holding(domain + ".") {
			if z.Problem != "" && exists(r.System, dns.Fragment(z)) {
				r.skip(hint.New(z.Hint, "%s", z.Trouble()), domain)
				break
			}
		}
	}
}

func exists(files system.Reader, p state.Path) bool {
	o, err := files.Stat(p)
	return err == nil && o.Kind != state.Absent
}

// finish reports what still waits. It prints nothing if nothing was due, unless a
// person asked for a step.
func (r *run) finish(ctx context.Context, acted bool) error {
	r.report.Failed = append(r.report.Failed, sortedKeys(r.failed)...)
	if r.report.Now = r.now; r.DryRun || !acted && r.asksForStep() {
		r.report.Keys = r.statuses()
	}
	if r.DryRun {
		return nil
	}
	return r.reportWaiting(ctx)
}

func activeSelector(keys keyring.Ledger, domain string) string {
	k, _ := keys.Signing(domain)
	return k.Selector
}

func findDomain(sp spec.Spec, name string) (spec.Domain, bool) {
	i, known := slices.BinarySearchFunc(sp.Domains, name, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
	if !known {
		return spec.Domain{}, false
	}
	return sp.Domains[i], true
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
