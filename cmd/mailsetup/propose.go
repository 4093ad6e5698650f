package main

import (
	"context"
	"strings"
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
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// proposer works out what nobody answered, and asks the person who is there.
func (s *session) proposer(old *spec.Spec) *propose.Proposer {
	_, unprivileged := s.Sys.(machine.Unprivileged)
	p := &propose.Proposer{
		Server: propose.Server{
			Spec: old, Ledger: s.keys, Record: s.record, Files: s.Sys, Root: s.o.root, Unprivileged: unprivileged,
		},
		Gatherer: gatherer{s}, Now: s.Now, ReplaceForeign: s.o.overwriteDrift,
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
type gatherer struct{ *session }

// Gather implements propose.Gatherer.
func (g gatherer) Gather(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	g.keys, g.scope = ledger, scope
	err := g.look(ctx, want)
	return g.facts, g.scope, err
}

// Refresh implements propose.Gatherer.
func (g gatherer) Refresh(ctx context.Context, want *spec.Spec, scope step.Scope) (state.Facts, error) {
	g.scope = scope
	err := g.lookAgain(ctx, want)
	return g.facts, err
}

// Recipients implements propose.Gatherer.
func (g gatherer) Recipients(ctx context.Context, in steps.Input) map[string]state.Recipient {
	if g.Image != nil { // of which nothing can be said
		return nil
	}
	return facts.Recipients(ctx, facts.Source(g.Sys), in)
}

// Selectors implements propose.Gatherer.
func (g gatherer) Selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
	list := dkimkeys.Selectors{Ledger: ledger, Files: g.Sys, Zones: zones, Now: g.Now, Random: machine.Random, Seen: g.seen}
	if g.o.root == "" {
		list.DNS = g.collector().Client()
	}
	return list
}

// selectors chooses names for new keys.
func (s *session) selectors() dkimkeys.Selectors { return gatherer{s}.Selectors(s.keys, s.facts.Zones) }

// seen returns when all name servers were first found to have the records of keys.
func (s *session) seen(domain string) map[string]time.Time {
	o, err := s.Sys.Read(keyring.CheckedFile(domain))
	if err != nil {
		return nil
	}
	c, _ := keyring.ParseChecked(o.Content) // what cannot be read was not seen
	return c.Seen
}

func parent(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	if !strings.Contains(rest, ".") {
		return host
	}
	return rest
}
