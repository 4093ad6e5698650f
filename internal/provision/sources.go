package provision

import (
	"context"
	"maps"
	"slices"

	"mailsetup/internal/facts"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/probe"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Sources gathers what a Provisioner has to know about a machine.
type Sources struct {
	Machine   *machine.Machine
	Collector *facts.Collector
	Logf      func(format string, a ...any)

	milters      []state.Milter // other milters with what they sign, once they were asked
	miltersAsked bool
}

// Gather implements Facts. A request also gets the hashes of what is still as its
// package brought it, and a scope without domains of which nothing has changed.
func (s *Sources) Gather(ctx context.Context, r *Request) error {
	g, err := s.Collector.Gather(ctx, facts.Request{Spec: r.Want, Ledger: r.Keys.Ledger, Scope: r.Scope, Removed: r.Removed, Steps: r.Steps})
	if err != nil {
		return err
	}
	if r.Hashes == nil {
		r.Hashes = plan.FileHashes{}
	}
	maps.Copy(r.Hashes, g.Pristine)
	r.Facts, r.Scope = g.Facts, g.Scope
	return nil
}

// Zones implements Facts.
func (s *Sources) Zones(ctx context.Context, r Request, in *step.Input) error {
	return s.Collector.GatherUpdates(ctx, in, r.Steps)
}

// Recipients implements Facts. It knows nothing about a directory.
func (s *Sources) Recipients(ctx context.Context, r Request, in step.Input) (map[string]state.Recipient, error) {
	if r.Steps != nil || s.Machine.Image != nil {
		return nil, nil
	}
	return facts.CheckRecipients(ctx, facts.Source(s.Machine.Sys), in, r.Have)
}

// Milters implements Facts. A run about keys alone asks no milter.
func (s *Sources) Milters(ctx context.Context, r Request, in step.Input) ([]state.Milter, bool) {
	about := slices.Collect(r.Scope.Domains(in.Spec))
	if r.Steps != nil || !r.Scope.WholeHost() && len(about) == 0 {
		return nil, false
	}
	if !s.miltersAsked {
		survey := signers.Survey{Source: s.Machine.Sys, Lookup: signers.KeyRecords(s.Collector.Client()), Unprivileged: s.Machine.Unprivileged(), Logf: s.Logf}
		if s.Machine.Image == nil {
			survey.Ask = probe.Signatures
		}
		s.milters, s.miltersAsked = survey.Milters(ctx, in)
	}
	return s.milters, s.miltersAsked
}

// Delegation implements Facts.
func (s *Sources) Delegation(ctx context.Context, domain string) ([]string, bool) {
	servers, known, err := s.Collector.Client().Delegation(ctx, domain+".")
	return servers, known && err == nil
}

// SaveFingerprints implements Facts.
func (s *Sources) SaveFingerprints(in step.Input) error { return s.Collector.SaveFingerprints(in) }
