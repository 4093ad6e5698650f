package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/rotation"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// carry takes the steps of a round, in one run for all domains if that can be:
// those that cannot even be planned are left out before anything is changed,
// and only if the run itself fails are parts of it tried.
func (t *turning) carry(ctx context.Context) (did bool, err error) {
	a := &attempt{turning: t, keys: maps.Clone(t.s.keys)}
	domains, err := t.parted(sortedKeys(t.due), func(domains []string) error { return a.prepare(ctx, domains) })
	if err != nil || len(domains) == 0 {
		return false, err
	}
	if err := a.prepare(ctx, domains); err != nil {
		return false, err
	}
	t.announce(domains)
	if t.s.o.dryRun {
		t.record(domains)
		return true, t.s.showDry(a.plan)
	}
	if a.plan.Empty() {
		return false, nil
	}
	if err := t.s.confirmed(ctx, a.plan); err != nil {
		return false, err
	}
	t.s.o.yes = t.s.o.yes || !t.s.observed // for the rounds to come
	domains, err = t.parted(domains, func(domains []string) error { return a.perform(ctx, domains) })
	t.begun(domains)
	t.record(domains)
	return len(domains) > 0, err
}

// parted tries something for all domains, and returns those for which it could
// be done. The others are left out of the run.
func (t *turning) parted(domains []string, try func(domains []string) error) ([]string, error) {
	p := parting{try: try, left: partings(len(domains))}
	if err := p.part(domains); err != nil {
		return p.done, err
	}
	for _, bad := range alike(p.trouble) {
		t.leave(bad.err, bad.domains...)
	}
	slices.Sort(p.done)
	return p.done, nil
}

// attempt is a run about some of the domains that are due.
type attempt struct {
	*turning
	keys  keyring.Ledger // as they were when the round began
	ready []string       // the domains that are prepared, nil for none
	work  *work
	plan  plan.Plan
	stale bool // something was done since the machine was looked at
}

// prepare plans the steps of some domains, unless that is done.
func (a *attempt) prepare(ctx context.Context, domains []string) (err error) {
	if a.ready != nil && slices.Equal(a.ready, domains) {
		return nil
	}
	a.ready = nil
	if a.stale {
		if err := a.refresh(ctx, domains); err != nil {
			return err
		}
	}
	a.only(domains)
	if a.work, a.plan, err = a.s.prepare(ctx, *a.old, a.old); err == nil {
		a.ready = domains
	}
	return err
}

// refresh looks at the machine again after an attempt. Domains that are still to
// come have their keys as the round found them.
func (a *attempt) refresh(ctx context.Context, domains []string) error {
	if err := a.s.remember(); err != nil {
		return lasting{err}
	}
	for _, d := range domains {
		a.s.keys[d] = a.keys[d]
	}
	a.only(domains)
	a.stale = false
	return a.s.look(ctx, a.old)
}

// perform takes the steps of some domains.
func (a *attempt) perform(ctx context.Context, domains []string) error {
	again := a.stale
	if err := a.prepare(ctx, domains); err != nil {
		return err
	}
	a.ready, a.stale = nil, true
	if again {
		a.s.c.say("going on with %s", listed(domains, few))
	}
	w, p := a.work, a.plan
	a.work, a.plan = nil, plan.Plan{} // ten thousand keys are not held twice
	return a.s.perform(ctx, w, p)
}

// only makes the run about some of the domains that are due.
func (t *turning) only(domains []string) {
	s := t.s
	s.scope, s.turns = step.Only(domains...), rotation.Moves{}
	for _, domain := range domains {
		if len(t.due[domain]) > 0 {
			s.turns[domain] = t.due[domain]
		}
	}
	s.retire = s.turns.Withdrawn()
	s.observed = !t.asked.compromised && observed(s.turns)
	s.steps = s.turns.Steps(*t.old)
	if s.o.root != "" {
		s.steps = steps.Ending()
	}
}

// fit keeps a key from signing that OpenDKIM would refuse, or that is not the
// one in DNS: mail would not be accepted, or not verify.
func (t *turning) fit(domain string, moves []keyring.Move) error {
	for _, m := range moves {
		if m.Act != keyring.Switch {
			continue
		}
		next, _ := keyring.Successor(t.s.keys[domain])
		if err := dkimkeys.Check(t.s.Sys, domain, next); err != nil {
			return err
		}
		if err := dkimkeys.CheckMatchesRecord(t.s.Sys, next); err != nil {
			return err
		}
	}
	return nil
}

// wait leaves out the domains whose zone cannot be worked with at the moment,
// but holds records of ours.
func (t *turning) wait() {
	unfit := slices.DeleteFunc(slices.Clone(t.s.facts.Zones), func(z state.Zone) bool {
		return z.Problem == "" || !t.s.exists(steps.Fragment(z))
	})
	for _, domain := range sortedKeys(t.due) {
		if i := slices.IndexFunc(unfit, func(z state.Zone) bool { return z.Holds(domain + ".") }); i >= 0 {
			t.leave(fail(unfit[i].Hint, "zone %s: %s", unfit[i].Origin, unfit[i].Problem), domain)
		}
	}
}

// alike gathers the domains of which the same is to be said: a name server, say,
// that does not answer for any of them. What a daemon printed under it may have
// been cut off, and does not count.
func alike(list []trouble) []trouble {
	var out []trouble
	said := map[string]int{}
	for _, bad := range list {
		text, _, _ := strings.Cut(bad.text(), "\n")
		if i, ok := said[text]; ok {
			out[i].domains = slices.Concat(out[i].domains, bad.domains)
			continue
		}
		said[text] = len(out)
		out = append(out, bad)
	}
	return out
}

// text is what stands in the way, without the domain in front.
func (t trouble) text() string { return strings.TrimPrefix(harmless(t.err), t.domains[0]+": ") }

// leave goes on without domains, and says why: in one line, and with what a
// daemon had to say about it.
func (t *turning) leave(err error, domains ...string) {
	for _, d := range domains {
		t.trouble[d] = true
		delete(t.due, d)
	}
	who := listed(domains, few)
	if k := before(t.s.keys, domains[0]); k != "" && len(domains) == 1 {
		who += ": " + k + " goes on signing"
	}
	t.named(who+": "+trouble{domains: domains, err: err}.text(), err)
}

// missKeyFiles tells of domains whose mail is not accepted, since the file of the
// key that signs is gone, or is one that OpenDKIM refuses. Nothing has to be due for
// that, and a successor that is on its way may mend it.
func (t *turning) missKeyFiles(domains []string) {
	for _, d := range domains {
		k, ok := t.s.keys.Signing(d)
		if !ok || k.File == "" || t.trouble[d] {
			continue
		}
		if err := dkimkeys.Check(t.s.Sys, d, k); err != nil {
			t.trouble[d] = true
			t.named(d+": "+harmless(err), err)
		}
	}
}

// named says what is wrong with a domain, and remembers it for the letter.
func (t *turning) named(line string, err error) {
	t.s.c.say("%s", line)
	_, hints := judge(err)
	t.s.c.hints(hints)
	t.why = append(t.why, line)
	for _, h := range hints {
		t.why = append(t.why, "hint: "+plan.Printable(h))
	}
}

// troubled is the end of a run that went on without some domains.
func (t *turning) troubled() error {
	if len(t.trouble) == 0 {
		return nil
	}
	return &leftOut{t.why, fail("later runs go on by themselves once that is mended; mailsetup status shows each key",
		"%s could not go on: %s", count(len(t.trouble), "domain"), listed(sortedKeys(t.trouble), 10))}
}

// leftOut is the error of a run that went on without some domains, with what was
// said of each.
type leftOut struct {
	why []string
	error
}

func (l *leftOut) Unwrap() error { return l.error }
