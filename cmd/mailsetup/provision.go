package main

import (
	"context"
	"maps"
	"slices"

	"mailsetup/internal/facts"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/probe"
	"mailsetup/internal/provision"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// provision is the tail of every command that changes what the machine is for:
// plan, show, confirm, carry out, print what is left.
func (s *session) provision(ctx context.Context, r provision.Request) error {
	p := s.provisioner()
	r.OnDisk, r.Keys.OnDisk = s.memory.domains, s.memory.keys
	d, err := p.Plan(ctx, r)
	if err != nil {
		return err
	}
	if s.o.dryRun {
		return s.showDry(d.Plan)
	}
	if !d.Plan.Empty() {
		if err := p.Confirm(ctx, d); err != nil {
			return err
		}
	}
	res, err := p.Run(ctx, d)
	if err != nil {
		return err
	}
	return s.printRun(res)
}

// provisioner carries requests out on the machine of the session.
func (s *session) provisioner() *provision.Provisioner {
	return &provision.Provisioner{
		Machine: s.Machine, UI: ui{s}, Facts: &sources{session: s},
		Selectors: s.selectors,
		Options: provision.Options{
			DryRun: s.o.dryRun, Install: s.o.install, OverwriteDrift: s.o.overwriteDrift, MakeKeys: s.o.root == "" || s.o.rootKeys,
			Consents: s.o.consents, Interactive: s.asks(),
		},
	}
}

// sources is what a provisioner asks.
type sources struct {
	*session
	milters []state.Milter // other milters with what they sign, once they were asked
	asked   bool
}

// gather gathers the facts of a request, and what is still as its package brought
// it.
func (s *session) gather(ctx context.Context, r *provision.Request) error {
	g, err := s.collector().Gather(ctx, facts.Request{Spec: r.Want, Ledger: r.Keys.Ledger, Scope: r.Scope, Removed: r.Removed, Steps: r.Steps})
	if err != nil {
		return err
	}
	if r.Record == nil {
		r.Record = plan.Record{}
	}
	maps.Copy(r.Record, g.Pristine)
	r.Facts, r.Scope = g.Facts, g.Scope
	return nil
}

// Gather implements provision.Facts.
func (s *sources) Gather(ctx context.Context, r provision.Request) (state.Facts, error) {
	err := s.gather(ctx, &r)
	return r.Facts, err
}

// Zones implements provision.Facts.
func (s *sources) Zones(ctx context.Context, r provision.Request, in *step.Input) error {
	return s.collector().LookAtUpdates(ctx, in, r.Steps)
}

// Recipients implements provision.Facts. Of a tree nothing can be said.
func (s *sources) Recipients(ctx context.Context, r provision.Request, in step.Input) (map[string]state.Recipient, error) {
	if r.Steps != nil || s.Image != nil {
		return nil, nil
	}
	return facts.CheckRecipients(ctx, facts.Source(s.Sys), in, r.Have)
}

// Milters implements provision.Facts. A run about keys alone asks nobody.
func (s *sources) Milters(ctx context.Context, r provision.Request, in step.Input) ([]state.Milter, bool) {
	about := slices.Collect(r.Scope.Domains(in.Spec))
	if r.Steps != nil || !r.Scope.WholeHost() && len(about) == 0 {
		return nil, false
	}
	if !s.asked {
		survey := signers.Survey{Source: s.Sys, Lookup: signers.KeyRecords(s.Resolver), Unprivileged: s.unprivileged(), Logf: s.c.say}
		if s.Image == nil {
			survey.Ask = probe.Signatures
		}
		s.milters, s.asked = survey.Milters(ctx, in)
	}
	return s.milters, s.asked
}

// Delegation implements provision.Facts.
func (s *sources) Delegation(ctx context.Context, domain string) ([]string, bool) {
	servers, known, err := s.Resolver.Delegation(ctx, domain+".")
	return servers, known && err == nil
}

// unprivileged reports whether what only root may read is taken for missing.
func (s *session) unprivileged() bool {
	_, unprivileged := s.Sys.(machine.Unprivileged)
	return unprivileged
}
