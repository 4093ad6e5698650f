package rotation

import (
	"context"
	"errors"
	"maps"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// maxListed is how many domains a line names.
const maxListed = 20

// applyIsolating takes the steps of a round, in one run for all domains if possible. It
// skips domains that cannot be planned before anything is changed, and bisects only if
// the run itself fails.
func (r *run) applyIsolating(ctx context.Context) (did bool, err error) {
	b := &batch{run: r, ledger: maps.Clone(r.ledger)}
	domains, err := b.isolate(r.due.Domains(), func(domains []string) error { return b.prepare(ctx, domains) })
	if err != nil || len(domains) == 0 {
		return false, err
	}
	if err := b.prepare(ctx, domains); err != nil {
		return false, err
	}
	if r.DryRun {
		r.recordSteps(domains)
		if r.report.Plan == nil {
			r.report.Plan, r.report.Quiet = &b.draft.Plan, b.draft.Quiet
		} else {
			r.report.Plan.Append(b.draft.Plan)
			r.report.Quiet = r.report.Quiet && b.draft.Quiet
		}
		return true, nil
	}
	r.UI.ShowTransitions(r.describe(r.due, domains))
	if b.draft.Plan.Empty() {
		return false, nil
	}
	if err := b.confirm(ctx); err != nil {
		return false, err
	}
	domains, err = b.isolate(domains, func(domains []string) error { return b.apply(ctx, domains) })
	for _, domain := range domains {
		if r.due.Generates(domain) {
			r.started[domain] = true
		}
	}
	r.recordSteps(domains)
	return len(domains) > 0, err
}

// confirm asks for confirmation, once in a run: later rounds follow from what was
// confirmed.
func (b *batch) confirm(ctx context.Context) error {
	r, d := b.run, b.draft
	switch {
	case d.Quiet:
		return nil
	case r.consented:
		p := d.Plan
		p.Notes = slices.DeleteFunc(slices.Clone(p.Notes), func(n state.Note) bool { return !n.Informational }) // they come with the result
		r.UI.ShowPlan(p)
		return nil
	}
	err := r.Provisioner.Confirm(ctx, d)
	r.consented = err == nil
	return err
}

// isolate runs an operation for all domains, and returns those for which it succeeded.
// The others are skipped.
func (b *batch) isolate(domains []string, operation func(domains []string) error) ([]string, error) {
	r := b.run
	i := newIsolator(r.now, r.until.passed, operation)
	if err := i.try(domains); err != nil {
		return i.done, err
	}
	if i.inRow >= maxFailures {
		r.lost = i.last
	}
	for _, f := range groupByMessage(i.failed) {
		if errors.Is(f.err, provision.ErrNoTime) {
			for _, d := range f.domains {
				delete(r.due, d)
			}
			r.UI.Logf("no time was left to make keys for %s: the next run does", text.List(f.domains, maxListed))
			continue
		}
		r.skip(f.err, f.domains...)
	}
	slices.Sort(i.done)
	return i.done, nil
}

// batch takes the steps of some of the domains that are due.
type batch struct {
	*run
	ledger keyring.Ledger // as it was when the round began
	ready  []string       // the domains that are planned, nil for none
	draft  *provision.Draft
	stale  bool // something was done since the machine was looked at
	again  int  // attempts after the first
}

// prepare plans the steps of some domains, unless they are planned.
func (b *batch) prepare(ctx context.Context, domains []string) (err error) {
	if b.ready != nil && slices.Equal(b.ready, domains) {
		return nil
	}
	b.ready = nil
	if b.stale {
		if err := b.refresh(ctx, domains); err != nil {
			return err
		}
	}
	if b.draft, err = b.Provisioner.Plan(ctx, b.request(domains)); err == nil {
		b.ready = domains
	}
	return err
}

// refresh gathers the facts again after an attempt. Domains that were not tried yet
// keep their keys as of the start of the round.
func (b *batch) refresh(ctx context.Context, domains []string) (err error) {
	if err := b.reload(); err != nil {
		return &provision.FatalError{Err: err}
	}
	for _, d := range domains {
		b.run.ledger[d] = b.ledger[d]
	}
	b.stale = false
	b.facts, err = b.Provisioner.Gather(ctx, b.request(domains))
	return err
}

// apply takes the steps of some domains.
func (b *batch) apply(ctx context.Context, domains []string) error {
	again := b.stale
	if err := b.prepare(ctx, domains); err != nil {
		return err
	}
	b.ready, b.stale = nil, true
	if again {
		b.sayAgain(domains)
	}
	d := b.draft
	b.draft = nil // ten thousand keys are not held twice
	return b.carryOut(ctx, d)
}

// maxAttempts is how many further attempts are told.
const maxAttempts = 10

// sayAgain says which domains are tried after an attempt that failed.
func (b *batch) sayAgain(domains []string) {
	switch b.again++; {
	case b.again <= maxAttempts:
		b.UI.Logf("going on with %s", text.List(domains, maxListed))
	case b.again == maxAttempts+1:
		b.UI.Logf("going on like this, without a line for each attempt")
	}
}

// request returns the request for some of the domains that are due.
func (r *run) request(domains []string) provision.Request {
	due := r.due.Only(domains)
	req := provision.Request{
		Want: r.Spec, Have: &r.Spec, Scope: step.Only(domains...), Facts: r.facts, Hashes: r.hashes,
		Steps: due.Steps(r.Spec, r.ledger), Keys: due.KeyPlan(r.Spec, r.ledger, r.now),
		KeysOnly: true, Quiet: !r.Compromised && due.RecordsOnly(), OnDrift: provision.RefuseDrift, Proof: provision.ProveSigner,
	}
	if r.Tree {
		req.Steps = steps.Withdrawal()
	}
	if r.scheduled() { // a person sees the bar, and waits as long as he likes
		req.Keys.Until = r.until.Time
	}
	return req
}

// carryOut runs a draft and adds its result to the report. An empty plan is not run:
// Provisioner.Run would prove the whole host instead.
func (r *run) carryOut(ctx context.Context, d *provision.Draft) error {
	if d.Plan.Empty() {
		return nil
	}
	quiet := d.Quiet
	res, err := r.Provisioner.Run(ctx, d)
	if err != nil {
		return err
	}
	r.report.add(res, quiet)
	if !quiet {
		r.UI.ShowResult(res)
	}
	return nil
}
