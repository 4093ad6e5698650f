package dnsexport

import (
	"context"
	"os"
	"slices"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/inventory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/store"
	"mailsetup/internal/text"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// Records are those that the domains of a machine need.
type Records struct {
	machine   *machine.Machine
	collector *facts.Collector
	input     step.Input
	domains   []spec.Domain
}

// Open opens a machine, and finds out which records the named domains need; all
// domains without a name. The caller closes what it gets.
func Open(ctx context.Context, on machine.Options, names []string) (*Records, error) {
	m, err := machine.Open(ctx, on)
	if err != nil {
		return nil, err
	}
	r := &Records{machine: m, collector: facts.New(m)}
	if err := r.read(ctx, names); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Records) read(ctx context.Context, names []string) error {
	m := r.machine
	e, err := store.Load(m.Sys, m.DryRun(), m.Logf)
	switch {
	case err != nil:
		return err
	case e.Spec == nil:
		return hint.NewUsage("mailsetup init", "no domain is set up on this %s", m.Kind())
	}
	if r.domains, err = inventory.Choose(*e.Spec, names); err != nil {
		return err
	}
	r.input, err = r.collector.RecordsInput(ctx, facts.Request{Spec: *e.Spec, Ledger: e.Ledger}, r.domains, m.Logf)
	return err
}

// Close ends what was begun ahead, and closes the machine.
func (r *Records) Close() {
	r.collector.Close()
	_ = r.machine.Close()
}

// maxListed is how many domains a line has room for.
const maxListed = 5

// KeysUnknown returns why there are domains without a DKIM record, nil if there are
// none.
func (r *Records) KeysUnknown() error {
	return keysUnknown(r.domains, r.input.Ledger, r.machine.Image == nil && os.Geteuid() != 0)
}

func keysUnknown(domains []spec.Domain, keys keyring.Ledger, unprivileged bool) error {
	var without []string
	for _, d := range domains {
		if len(keys[d.Name]) == 0 && d.SignedBy == "" {
			without = append(without, d.Name)
		}
	}
	switch {
	case len(without) == 0:
		return nil
	case unprivileged:
		return hint.New(hint.AsRoot, "the keys are known to root only: DKIM records are left out")
	}
	return hint.New("mailsetup init makes it; in a directory, with --root-keys", "no key yet, so no DKIM record: %s", text.List(without, maxListed))
}

// List returns the records of each domain, with their zones where a form needs them.
func (r *Records) List(ctx context.Context, form string) []Domain {
	list := Domains(r.input, r.domains)
	if NeedsZones(form) {
		lookup := r.machine.Resolver.WithCache().ZoneOf
		if r.machine.Image != nil {
			lookup = nil
		}
		FindZones(ctx, list, r.input.Facts.Zones, lookup)
	}
	if form == "paste" && r.machine.Image == nil {
		FindServers(ctx, list, r.serversOf)
	}
	return list
}

// Wait waits until every name server has the records, or until the timeout is over,
// and returns what the last look found at each domain; complete if nothing is wrong.
// It remembers that for `mailsetup list`. What it finds meanwhile it prints, and in
// the status line how it goes on, see dnscheck.ProgressPrinter.
func (r *Records) Wait(ctx context.Context, timeout time.Duration, print, status func(string)) (results []dnscheck.Result, complete bool, err error) {
	want := make([]dnscheck.Expected, 0, len(r.domains))
	for _, d := range r.domains {
		records, copies := dns.ExpectedRecords(r.input, d)
		e := dnscheck.ForDomain(d.Name, records, r.input.Ledger[d.Name], !r.input.Spec.ByHand(d))
		e.Copies = copies
		want = append(want, e)
	}
	results, err = dnscheck.Watch(ctx, r.machine.Resolver, want, timeout, (&dnscheck.ProgressPrinter{Print: print, Status: status}).Update)
	if err != nil {
		return nil, false, err
	}
	r.saveChecks(results)
	return results, dnscheck.Complete(results) == len(results), nil
}

// saveChecks writes down what was seen. It is an observation: a failure to write it
// down takes nothing from the answer.
func (r *Records) saveChecks(results []dnscheck.Result) {
	s := store.New(r.machine.Sys)
	if os.Geteuid() != 0 || !s.Exists() {
		return
	}
	for some := range slices.Chunk(results, savedAtOnce) {
		checked := make(map[string]keyring.LastCheck, len(some))
		for _, res := range some {
			checked[res.Domain] = res.LastCheck(r.input.Ledger[res.Domain], time.Now().UTC())
		}
		if err := s.SaveChecks(checked, nil); err != nil {
			r.machine.Logf("what was seen is not remembered: %v", err)
			return
		}
	}
}

// savedAtOnce is of how many domains what was seen is in memory as text.
const savedAtOnce = 1000
