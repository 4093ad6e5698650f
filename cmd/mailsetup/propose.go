package main

import (
	"context"
	"maps"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/propose"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
	"mailsetup/steps/step"
)

// proposer works out what nobody answered, and asks the person who is there.
func (s *session) proposer(old *spec.Spec) *propose.Proposer {
	p := &propose.Proposer{
		Server: propose.Server{
			Spec: old, Ledger: s.keys, Record: s.record, Files: s.Sys, Root: s.o.root, Unprivileged: s.unprivileged(),
		},
		Gatherer: &gatherer{session: s}, Now: s.Now, ReplaceForeign: s.o.overwriteDrift,
		NeedsYes: !s.o.yes && !s.o.dryRun && !s.c.interactive && s.o.root == "",
	}
	if s.asks() {
		p.Ask = func(ctx context.Context, o wizard.Options) (spec.Answers, error) {
			return wizard.Ask(ctx, s.terminal(o))
		}
	}
	return p
}

// propose carries out what was worked out.
func (s *session) propose(ctx context.Context, r propose.Result, old *spec.Spec) error {
	s.taken = r.Adopted
	req := provision.Request{
		Want: r.Want, Have: old, Scope: r.Scope, Facts: r.Facts, Record: r.Record, Advice: true,
		Keys: provision.KeyPlan{Ledger: r.Ledger, Selector: s.asksSelector},
	}
	if r.Adopted != nil {
		req.Notes, req.Keys.Permissions, req.Keys.Copies = r.Adopted.Notes, r.Adopted.Permissions, r.Adopted.Copies
	}
	return s.provision(ctx, req)
}

// asks reports whether a person answers questions in this run.
func (s *session) asks() bool { return s.c.interactive && !s.o.yes && !s.o.json }

// gatherer gathers facts for propose.
type gatherer struct {
	*session
	last provision.Request // with the facts of the last look
}

// Gather implements propose.Gatherer.
func (g *gatherer) Gather(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	r := provision.Request{Want: *want, Keys: provision.KeyPlan{Ledger: ledger}, Scope: scope, Record: g.record}
	err := g.sources().Fill(ctx, &r)
	if err == nil {
		g.last = r
	}
	return r.Facts, r.Scope, err
}

// Refresh implements propose.Gatherer.
func (g *gatherer) Refresh(ctx context.Context, want *spec.Spec, scope step.Scope) (state.Facts, error) {
	again, err := g.collector().Refresh(ctx, facts.Request{Spec: *want, Ledger: g.last.Keys.Ledger, Scope: scope}, g.last.Facts)
	if err != nil {
		return state.Facts{}, err
	}
	maps.Copy(g.record, again.Pristine)
	g.last.Facts = again.Facts
	return again.Facts, nil
}

// Recipients implements propose.Gatherer.
func (g *gatherer) Recipients(ctx context.Context, in step.Input) map[string]state.Recipient {
	if g.Image != nil { // of which nothing can be said
		return nil
	}
	return facts.Recipients(ctx, facts.Source(g.Sys), in)
}

// Selectors implements propose.Gatherer.
func (g *gatherer) Selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
	return g.selectors(ledger, zones)
}

// selectors chooses names for new keys.
func (s *session) selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
	list := dkimkeys.Selectors{Ledger: ledger, Files: s.Sys, Zones: zones, Now: s.Now, Random: machine.Random, Seen: s.seen}
	if s.o.root == "" {
		list.DNS = s.collector().Client()
	}
	return list
}

// seen returns when all name servers were first found to have the records of keys.
func (s *session) seen(domain string) map[string]time.Time { return s.store().LastCheck(domain).Seen }
