package main

import (
	"context"

	"mailsetup/internal/facts"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/steps"
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
		Machine: s.Machine, UI: ui{s}, Facts: sources{s},
		Selectors: gatherer{s}.Selectors,
		Options: provision.Options{
			DryRun: s.o.dryRun, Install: s.o.install, OverwriteDrift: s.o.overwriteDrift, MakeKeys: s.o.root == "" || s.o.rootKeys,
			Consents: s.o.consents, Interactive: s.asks(),
		},
	}
}

// sources is the session as what a provisioner asks.
type sources struct{ *session }

// use makes the session one of a request.
func (s sources) use(r provision.Request) {
	s.scope, s.removed, s.steps = r.Scope, r.Removed, r.Steps
	s.keys, s.record, s.facts = r.Keys.Ledger, r.Record, r.Facts
}

// Gather implements provision.Facts.
func (s sources) Gather(ctx context.Context, r provision.Request) (state.Facts, error) {
	s.use(r)
	err := s.look(ctx, &r.Want)
	return s.facts, err
}

// Zones implements provision.Facts.
func (s sources) Zones(ctx context.Context, r provision.Request, in *steps.Input) error {
	s.use(r)
	return s.primaries(ctx, in)
}

// Recipients implements provision.Facts. Of a tree nothing can be said.
func (s sources) Recipients(ctx context.Context, r provision.Request, in steps.Input) (map[string]state.Recipient, error) {
	if r.Steps != nil || s.Image != nil {
		return nil, nil
	}
	return facts.CheckRecipients(ctx, facts.Source(s.Sys), in, r.Have)
}

// Milters implements provision.Facts.
func (s sources) Milters(ctx context.Context, r provision.Request, in steps.Input) ([]state.Milter, bool) {
	s.use(r)
	return s.askMilters(ctx, in)
}

// Delegation implements provision.Facts.
func (s sources) Delegation(ctx context.Context, domain string) ([]string, bool) {
	servers, known, err := s.Resolver.Delegation(ctx, domain+".")
	return servers, known && err == nil
}
