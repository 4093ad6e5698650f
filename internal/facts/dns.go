package facts

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/detect"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
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
	policies = slices.DeleteFunc(policies, func(name string) bool { return servedHere(f.Zones, name) })
	var wg sync.WaitGroup
	wg.Go(func() { f.Live = detect.Live(ctx, c.client, append(policies, names...)) })
	wg.Go(func() { f.SPF = spfcheck.Evaluate(ctx, c.client, q) })
	wg.Wait()
}

// servedHere reports whether a zone of this machine says by itself what is at a name, so
// that nobody else is asked.
func servedHere(zones state.Zones, name string) bool {
	z, ok := zones.Closest(name + ".")
	return ok && z.Problem == "" && len(z.Records) > 0 && !slices.ContainsFunc(z.Records, func(r state.Record) bool {
		return r.Type == "CNAME" && (dnsname.Same(r.Name, name+".") || strings.HasPrefix(r.Name, "*."))
	})
}

// gatherWildcards adds to the input of the steps which wildcards answer in zones whose
// records are printed.
func (c *Collector) gatherWildcards(ctx context.Context, in *step.Input) {
	if c.m.Image == nil {
		in.Facts.Covered = zones.Covered(ctx, c.Client(), dns.WildcardQueries(*in))
	}
}

// gatherPrinted finds out which of the records that are printed name servers have.
func (c *Collector) gatherPrinted(ctx context.Context, in *step.Input) {
	if c.m.Image != nil {
		return
	}
	var want []dnscheck.Expected
	for d := range in.Scope.Domains(in.Spec) {
		if rrs := dns.RecordsByHand(*in, d); len(rrs) > 0 && in.Facts.Live[d.Name].Asked {
			want = append(want, dnscheck.ForDomain(d.Name, rrs, in.Ledger[d.Name], false))
		}
	}
	in.Facts.ByHand = servedOf(ctx, c.Client(), want)
}

// Bounds of a look at the records that are printed: domains at a time (the client bounds
// the questions), and for all of them. Of those that there was no time for nothing is known.
const (
	servedAtOnce = 64
	servedWithin = 15 * time.Second
)

// servedOf returns what name servers have of records.
func servedOf(ctx context.Context, client *dnsclient.Client, want []dnscheck.Expected) map[state.Record]state.Served {
	ctx, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	found := make([]map[state.Record]state.Served, len(want))
	_ = parallel.Do(len(want), servedAtOnce, func(i int) error {
		if r := dnscheck.Check(ctx, client, want[i], dnscheck.Result{}); ctx.Err() == nil {
			found[i] = r.Served()
		}
		return nil
	})
	all := map[state.Record]state.Served{}
	for _, one := range found {
		maps.Copy(all, one)
	}
	return all
}
