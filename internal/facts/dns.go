package facts

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"mailsetup/internal/detect"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/spfcheck"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// lookUpDNS looks up the names of a spec, and evaluates existing SPF records for this
// server.
func (c *Collector) lookUpDNS(ctx context.Context, r Request, f *state.Facts) {
	names := r.namesToResolve(f.FQDN)
	q := spfcheck.Query{Zones: f.Zones, Addresses: r.Spec.Host.Addresses, Planned: records.Planned(r.Spec)}
	policies := []string{}
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		q.Names = append(q.Names, name)
		if name != r.Spec.Host.Hostname || r.Spec.Has(name) {
			policies = append(policies, dnsname.Policy(name))
		}
	}
	for d := range r.Scope.Domains(r.Spec) {
		policies = append(policies, records.ReportConsentNames(d)...)
		for _, i := range d.SPF.Include {
			if !slices.Contains(q.Includes, i) {
				q.Includes = append(q.Includes, i)
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.Live = detect.Live(ctx, c.client, append(policies, names...)) })
	wg.Go(func() { f.SPF = spfcheck.Evaluate(ctx, c.client, q) })
	wg.Wait()
}

// GatherWildcards adds to the input of the steps which wildcards answer in zones whose
// records are printed.
func (c *Collector) GatherWildcards(ctx context.Context, in *step.Input) {
	if c.m.Image == nil {
		in.Facts.Covered = zones.Covered(ctx, c.Client(), dns.WildcardQueries(*in))
	}
}
