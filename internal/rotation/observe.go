package rotation

import (
	"context"
	"slices"
	"sync"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
)

// dnsConcurrency is the number of domains looked up at a time.
const dnsConcurrency = 16

// observe queries DNS for the record of every successor key.
func (r *run) observe(ctx context.Context) {
	r.observed = map[string]map[string]keyring.Observation{}
	var domains []spec.Domain
	for _, d := range r.Spec.Domains {
		if _, ok := keyring.Successor(r.ledger[d.Name]); ok && r.includes(d.Name) && !r.Tree {
			domains = append(domains, d)
		}
	}
	step, end := r.UI.StartBar("records looked for", len(domains))
	defer end()
	dns := r.DNS()
	var mu sync.Mutex
	_ = parallel.Do(len(domains), dnsConcurrency, func(i int) error {
		k, _ := keyring.Successor(r.ledger[domains[i].Name])
		seen := dns.ObserveKey(ctx, domains[i], k)
		mu.Lock()
		defer mu.Unlock()
		r.observed[domains[i].Name] = map[string]keyring.Observation{k.Selector: seen}
		step()
		return nil
	})
}

// isPublished reports whether a name server has the record of a key.
func isPublished(ctx context.Context, dns DNS, d spec.Domain, k keyring.Key) bool {
	v := dns.Check(ctx, dnscheck.ForKey(d.Name, d.TTL, k))
	return slices.ContainsFunc(v.Servers, func(server dnscheck.ServerResult) bool {
		return slices.ContainsFunc(server.Records, func(r dnscheck.RecordResult) bool { return r.OK() })
	})
}
