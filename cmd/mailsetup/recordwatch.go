package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// watchRecords looks whether name servers still have the records of domains whose
// turn it is, puts back what may be put back, and tells people. The error says
// that something is not as it should be, or that it could not be found out.
func (t *turning) watchRecords(ctx context.Context) error {
	if !t.asked.isJob() || len(t.old.Domains) == 0 {
		return nil
	}
	s := t.s
	schedule, unreadable, err := s.store().LoadSchedule()
	if err != nil {
		return err
	}
	if unreadable != nil { // then all of them have their turn again
		s.c.say("%s", harmless(unreadable))
	}
	var names []string
	for _, d := range t.old.Domains {
		names = append(names, d.Name)
	}
	t.looked = schedule.Due(names, s.Now)
	resolver := s.Resolver.WithCache()
	check := func(ctx context.Context, e dnscheck.Expected) dnscheck.Result {
		return dnscheck.Check(ctx, resolver, e, dnscheck.Result{})
	}
	results, err := recordwatch.Tick{
		Check: check, Limits: recordwatch.TickLimits, Now: s.Now,
		Judged: t.judged, Restore: t.restore, Lost: t.lostFragments, Save: s.saveLooks,
	}.Run(ctx, t.watchedDomains(t.looked))
	if stop := cmp.Or(ctx.Err(), t.halted); stop != nil {
		return stop
	}
	var wrong []string
	for name, r := range results {
		if len(r.Watch.Problems) > 0 {
			wrong = append(wrong, name)
		}
	}
	schedule = schedule.After(names, slices.Collect(maps.Keys(results)), wrong, s.Now)
	err = errors.Join(err, s.store().SaveSchedule(schedule))
	found := t.tellOfRecords(ctx, results)
	if err == nil && found {
		err = errProblemsFound
	}
	return err
}

// watchedDomains are what is expected of the name servers of domains.
func (t *turning) watchedDomains(due []string) []recordwatch.Domain {
	list := make([]recordwatch.Domain, len(due))
	_ = sideBySide(len(due), processors(), func(i int) error {
		d, _ := t.domain(due[i])
		all, signing := steps.Watched(*t.old, d, t.s.keys[d.Name])
		list[i] = recordwatch.Domain{Expected: wantedOf(*t.old, d, all, t.s.keys[d.Name]), Before: t.s.store().LastCheck(d.Name)}
		for _, r := range signing {
			list[i].Signing = append(list[i].Signing, recordwatch.ID(r))
		}
		return nil
	})
	return list
}

// judged are the records that domains should have beside those of the
// administrator's, as dns --wait expects them.
func (t *turning) judged(ctx context.Context, domains []string) (map[string][]state.Record, error) {
	s, list := t.s, []spec.Domain{}
	s.only(domains)
	s.steps, s.turns = nil, nil
	for _, name := range domains {
		d, _ := t.domain(name)
		list = append(list, d)
	}
	in, err := s.dnsInput(ctx, *t.old, list)
	if err != nil {
		return nil, err
	}
	all := map[string][]state.Record{}
	for _, d := range list {
		all[d.Name] = steps.Served(in, d)
	}
	return all, nil
}

// saveLooks writes down what was seen of domains.
func (s *session) saveLooks(results map[string]recordwatch.Result) error {
	w := &watch{s: s, keys: s.keys}
	watches := map[string]keyring.Watch{}
	for name, r := range results {
		w.views = append(w.views, r.View)
		watches[name] = r.Watch
	}
	return s.store().SaveChecks(w.checked(), watches)
}

// restore puts back what is gone from zones of this machine. It says nothing of
// domains for which that is not what is missing, or not wanted.
func (t *turning) restore(ctx context.Context, domains []string) map[string]error {
	errs := map[string]error{}
	domains = slices.DeleteFunc(slices.Clone(domains), func(name string) bool {
		d, known := t.domain(name)
		return !known || t.old.DNSOf(d) != spec.DNSBind || !t.old.Repairs(d)
	})
	if len(domains) > 0 {
		t.s.retire, t.s.turns, t.s.observed = nil, map[string][]keyring.Move{}, false
		t.takeIn(ctx, domains, errs)
		t.rebuild(ctx, domains, errs)
	}
	return errs
}

// takeIn lets zones take our fragments in again that they lost.
func (t *turning) takeIn(ctx context.Context, domains []string, errs map[string]error) {
	s := t.s
	s.steps = steps.Restoring()
	s.only(domains)
	if err := s.look(ctx, t.old); err != nil {
		s.c.say("%s", harmless(err))
		return
	}
	var lost []string
	for _, name := range domains {
		if z, dropped := steps.DroppedZone(s.facts, name); dropped {
			if errs[name] = s.fragmentEdited(z); errs[name] == nil {
				lost = append(lost, name)
			}
		}
	}
	stale := false
	p := parting{left: partings(len(lost)), try: func(domains []string) error {
		s.only(domains)
		if stale {
			if err := s.look(ctx, t.old); err != nil {
				return err
			}
		}
		stale = true
		return t.carryBack(ctx)
	}}
	t.halted = p.part(lost)
	for _, bad := range p.trouble {
		for _, d := range bad.domains {
			errs[d] = bad.err
		}
	}
}

// lostFragments are the fragments with records of a domain that mailsetup wrote
// and that are gone.
func (t *turning) lostFragments(domain string) []state.Path {
	d, _ := t.domain(domain)
	if t.old.DNSOf(d) != spec.DNSBind {
		return nil
	}
	return slices.DeleteFunc(steps.FragmentsOf(domain), func(p state.Path) bool {
		_, written := t.s.record[p]
		return !written || t.s.exists(p)
	})
}

// rebuild makes fragments again that are gone, if that makes what they were.
func (t *turning) rebuild(ctx context.Context, domains []string, errs map[string]error) {
	s, tried := t.s, 0
	for _, name := range domains {
		if len(t.lostFragments(name)) == 0 || t.halted != nil || tried == few {
			continue
		}
		tried++
		s.steps = nil
		s.only([]string{name})
		err := s.look(ctx, t.old)
		if sharing := steps.Sharing(steps.Input{Spec: *t.old, Facts: s.facts}, name); err == nil && len(sharing) > 1 {
			s.only(sharing)
			err = s.look(ctx, t.old)
		}
		if err == nil {
			s.steps = steps.Rebuilding()
			err = t.carryBack(ctx)
		}
		if errs[name] = err; hopeless(err) {
			t.halted = err
		}
	}
}

// only makes the run one about domains.
func (s *session) only(domains []string) {
	s.scope = step.Only(domains...)
}

// carryBack plans and does what the session is about.
func (t *turning) carryBack(ctx context.Context) error {
	s := t.s
	w, p, err := s.prepare(ctx, *t.old, t.old)
	if err != nil || p.Empty() {
		return err
	}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			if c.Path.Dir() == steps.FragmentDir && c.After.Kind == state.Regular && s.record[c.Path] != plan.Hash(c.After.Content) {
				return fail("mailsetup init shows what it would be, and makes it", "%s would not be what it was", c.Path)
			}
		}
	}
	if err := s.confirmed(ctx, p); err != nil {
		return err
	}
	err = s.perform(ctx, w, p)
	if again := s.remember(); again != nil && err == nil {
		err = lasting{again}
	}
	return err
}

// fragmentEdited refuses a fragment that is not as mailsetup left it.
func (s *session) fragmentEdited(z state.Zone) error {
	file := steps.Fragment(z)
	o, err := s.Sys.Read(file)
	if err != nil {
		return err
	}
	if s.record[file] != plan.Hash(o.Content) {
		return fail("mailsetup init --dry-run shows the difference; init --overwrite-drift writes our version", "%s is not as mailsetup left it", file)
	}
	return nil
}

// wantedOf is what to look for at the name servers of a domain.
func wantedOf(sp spec.Spec, d spec.Domain, rrs []state.Record, keys []keyring.Key) dnscheck.Expected {
	return dnscheck.Expected{Domain: d.Name, Records: rrs, Keys: publicKeys(keys), Ours: sp.DNSOf(d) != spec.DNSManual}
}
