package main

import (
	"context"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/propose"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
)

// proposer works out what nobody answered, and asks the person who is there.
func (s *session) proposer(old *spec.Spec) *propose.Proposer {
	p := &propose.Proposer{
		Server: propose.Server{
			Spec: old, Ledger: s.keys, Hashes: s.hashes, Files: s.Sys, Root: s.o.root, Unprivileged: s.unprivileged(),
		},
		Gatherer: &propose.Sources{Machine: s.Machine, Collector: s.collector(), Hashes: s.hashes, NewSelectors: s.selectors}, Now: s.Now, ReplaceForeign: s.o.overwriteDrift,
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
		Want: r.Want, Have: old, Scope: r.Scope, Facts: r.Facts, Hashes: r.Hashes, Advice: true,
		Keys: provision.KeyPlan{Ledger: r.Ledger, Selector: s.asksSelector},
	}
	if r.Adopted != nil {
		req.Notes, req.Keys.Permissions, req.Keys.Copies = r.Adopted.Notes, r.Adopted.Permissions, r.Adopted.Copies
	}
	return s.provision(ctx, req)
}

// asks reports whether a person answers questions in this run.
func (s *session) asks() bool { return s.c.interactive && !s.o.yes && !s.o.json }

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
