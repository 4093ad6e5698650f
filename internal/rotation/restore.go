package rotation

import (
	"context"
	"slices"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// maxRebuilt is the number of domains whose fragments one run makes again.
const maxRebuilt = 20

// restore restores lost records of domains, and returns the error of each attempt.
// Domains whose records are not lost here, or that are not to be repaired, are not in
// the result.
func (r *watcher) restore(ctx context.Context, domains []string) map[string]error {
	errs := map[string]error{}
	domains = slices.DeleteFunc(slices.Clone(domains), func(name string) bool {
		d, known := findDomain(r.Spec, name)
		return !known || r.Spec.DNSOf(d) != spec.DNSBind || !r.Spec.Repairs(d)
	})
	if len(domains) > 0 {
		r.restoreIncludes(ctx, domains, errs)
		r.rebuildFragments(ctx, domains, errs)
	}
	return errs
}

// restoreIncludes puts $INCLUDE lines of our fragments back into zones that lost them.
func (r *watcher) restoreIncludes(ctx context.Context, domains []string, errs map[string]error) {
	if err := r.gather(ctx, steps.IncludeRestoration(), domains); err != nil {
		r.UI.Logf("%s", message(err))
		return
	}
	var lost []string
	for _, name := range domains {
		if z, dropped := dns.ZoneWithoutInclude(r.facts, name); dropped {
			if errs[name] = r.fragmentEdited(z); errs[name] == nil {
				lost = append(lost, name)
			}
		}
	}
	stale := false
	i := newIsolator(r.now, r.until.passed, func(domains []string) error {
		if stale {
			if err := r.gather(ctx, steps.IncludeRestoration(), domains); err != nil {
				return err
			}
		}
		stale = true
		return r.restoreRecords(ctx, steps.IncludeRestoration(), domains)
	})
	r.halted = i.try(lost)
	for _, f := range i.failed {
		for _, d := range f.domains {
			errs[d] = f.err
		}
	}
}

// rebuildFragments makes lost fragments again, if the result is what they were.
func (r *watcher) rebuildFragments(ctx context.Context, domains []string, errs map[string]error) {
	tried := 0
	for _, name := range domains {
		if len(r.lostFragments(name)) == 0 || r.halted != nil || tried == maxRebuilt {
			continue
		}
		tried++
		about := []string{name}
		err := r.gather(ctx, nil, about)
		if sharing := dns.DomainsOfZone(step.Input{Spec: r.Spec, Facts: r.facts}, name); err == nil && len(sharing) > 1 {
			about = sharing
			err = r.gather(ctx, nil, about)
		}
		if err == nil {
			err = r.restoreRecords(ctx, steps.FragmentRebuild(), about)
		}
		if errs[name] = err; isFatal(err) {
			r.halted = err
		}
	}
}

func (r *watcher) restoreRequest(list []step.Step, domains []string) provision.Request {
	return provision.Request{
		Want: r.Spec, Have: &r.Spec, Scope: step.Only(domains...), Facts: r.facts, Hashes: r.hashes,
		Steps: list, Keys: provision.KeyPlan{Ledger: r.ledger}, KeysOnly: true, OnDrift: provision.RefuseDrift, Proof: provision.ProveSigner,
	}
}

func (r *watcher) gather(ctx context.Context, list []step.Step, domains []string) error {
	facts, err := r.Provisioner.Gather(ctx, r.restoreRequest(list, domains))
	if err == nil {
		r.facts = facts
	}
	return err
}

// restoreRecords plans and applies the steps that restore the records of domains: with
// the fragments as they were, or not at all.
func (r *watcher) restoreRecords(ctx context.Context, list []step.Step, domains []string) error {
	d, err := r.Provisioner.Plan(ctx, r.restoreRequest(list, domains))
	if err != nil || d.Plan.Empty() {
		return err
	}
	for _, st := range d.Plan.Stages {
		for _, c := range st.Changes {
			if c.Path.Dir() == dns.FragmentDir && c.After.Kind == state.Regular && r.hashes[c.Path] != plan.Hash(c.After.Content) {
				return hint.New("mailsetup init shows what it would be, and makes it", "%s would not be what it was", c.Path)
			}
		}
	}
	if err := r.Provisioner.Confirm(ctx, d); err != nil {
		return err
	}
	err = r.carryOut(ctx, d)
	if again := r.reload(); again != nil && err == nil {
		err = &provision.FatalError{Err: again}
	}
	return err
}

// lostFragments returns the deleted fragments that had records of a domain.
func (r *watcher) lostFragments(domain string) []state.Path {
	d, _ := findDomain(r.Spec, domain)
	if r.Spec.DNSOf(d) != spec.DNSBind {
		return nil
	}
	return slices.DeleteFunc(dns.FragmentsOf(domain), func(p state.Path) bool {
		_, written := r.hashes[p]
		return !written || exists(r.System, p)
	})
}

// fragmentEdited refuses a fragment that is not as mailsetup left it.
func (r *watcher) fragmentEdited(z state.Zone) error {
	file := dns.Fragment(z)
	o, err := r.System.Read(file)
	if err != nil {
		return err
	}
	if r.hashes[file] != plan.Hash(o.Content) {
		return hint.New("mailsetup init --dry-run shows the difference; mailsetup init --overwrite-drift writes our version", "%s is not as mailsetup left it", file)
	}
	return nil
}
