package propose

import (
	"context"
	"maps"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/facts"
	"mailsetup/internal/inbound"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/steps/step"
)

// Sources gathers what a Proposer has to know about a machine.
type Sources struct {
	Machine   *machine.Machine
	Collector *facts.Collector
	// Hashes gets the hashes of what is still as its package brought it.
	Hashes plan.FileHashes

	facts state.Facts // of the last look
}

// New returns a proposer for a machine, with what earlier runs left there.
func New(m *machine.Machine, c *facts.Collector, e store.Earlier) *Proposer {
	return &Proposer{
		Server: Server{
			Spec: e.Spec, Ledger: e.Ledger, Hashes: e.Hashes, Files: m.Sys, Root: m.Root, Unprivileged: m.Unprivileged(),
		},
		Gatherer: &Sources{Machine: m, Collector: c, Hashes: e.Hashes}, Now: m.Now,
	}
}

// Gather implements Gatherer.
func (s *Sources) Gather(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	g, err := s.Collector.Gather(ctx, facts.Request{Spec: *want, Ledger: ledger, Scope: scope})
	return s.keep(g, scope, err)
}

// Refresh implements Gatherer.
func (s *Sources) Refresh(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	g, err := s.Collector.Refresh(ctx, facts.Request{Spec: *want, Ledger: ledger, Scope: scope}, s.facts)
	return s.keep(g, scope, err)
}

func (s *Sources) keep(g facts.Gathered, scope step.Scope, err error) (state.Facts, step.Scope, error) {
	if err != nil {
		return state.Facts{}, scope, err
	}
	maps.Copy(s.Hashes, g.Pristine)
	s.facts = g.Facts
	return g.Facts, g.Scope, nil
}

// Recipients implements Gatherer. It knows nothing about a directory.
func (s *Sources) Recipients(ctx context.Context, in step.Input) map[string]state.Recipient {
	if s.Machine.Image != nil {
		return nil
	}
	return facts.Recipients(ctx, facts.Source(s.Machine.Sys), in)
}

// Secondaries implements Gatherer.
func (s *Sources) Secondaries(ctx context.Context, want spec.Spec, f state.Facts) ([]inbound.Secondary, bool) {
	return s.Collector.Secondaries(ctx, want, f)
}

// Selectors implements Gatherer.
func (s *Sources) Selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
	return dkimkeys.For(s.Machine, s.Collector.Client(), ledger, zones)
}

// lookupSpec returns a spec with the names that are known before the questions, to look
// them up.
func lookupSpec(a spec.Answers, old *spec.Spec) *spec.Spec {
	w := spec.Spec{}
	if old != nil {
		w = *old
	}
	if n, err := syntax.DomainName(a.Domain); err == nil {
		w.Host.Domain = n
	}
	if n, err := syntax.Hostname(a.Hostname); err == nil {
		w.Host.Hostname = n
	}
	return &w
}

// namesOnly returns a spec with further domains that have nothing but their names.
func namesOnly(old spec.Spec, names []string) *spec.Spec {
	w := spec.Spec{Host: old.Host, Domains: make([]spec.Domain, 0, len(old.Domains)+len(names))}
	w.Domains = append(w.Domains, old.Domains...)
	for _, n := range names {
		w.Domains = append(w.Domains, spec.Domain{Name: n})
	}
	return &w
}
