package rotation

import (
	"context"
	"slices"
	"sync"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

// dnsConcurrency is the number of domains looked up at a time: each waits for some ten
// answers in a row, and the client bounds the questions that are on their way.
const dnsConcurrency = 128

// observe queries DNS for the record of every key whose next step depends on it, unless an
// earlier round of this run has seen it. A domain for which there is no time has no
// observation.
func (r *run) observe(ctx context.Context) {
	before := r.observed
	r.observed = map[string]map[string]keyring.Observation{}
	var domains []spec.Domain
	var known []map[string]keyring.Observation // of other keys of each of them
	waits := map[string][]keyring.Key{}
	for _, d := range r.Spec.Domains {
		if !r.includes(d.Name) || r.Tree {
			continue
		}
		seen := map[string]keyring.Observation{}
		for _, k := range r.ledger[d.Name] {
			switch {
			case !k.Observed(r.ledger[d.Name]):
			case before[d.Name][k.Selector].Published && k.Stage != keyring.Revoked:
				seen[k.Selector] = before[d.Name][k.Selector]
			default:
				waits[d.Name] = append(waits[d.Name], k)
			}
		}
		switch {
		case len(waits[d.Name]) > 0:
			domains, known = append(domains, d), append(known, seen)
		case len(seen) > 0:
			r.observed[d.Name] = seen
		}
	}
	step, end := r.UI.StartBar("records looked for", len(domains))
	defer end()
	within, cancel := context.WithDeadline(ctx, r.until.Time)
	defer cancel()
	dns := r.DNS()
	var mu sync.Mutex
	_ = parallel.Do(len(domains), dnsConcurrency, func(i int) error {
		d, found := domains[i], known[i]
		all := true
		for _, k := range waits[d.Name] {
			seen := keyring.Observation{}
			if within.Err() == nil {
				seen = dns.ObserveKey(within, d, k)
			}
			found[k.Selector] = seen
			all = all && (within.Err() == nil || seen.Published)
		}
		mu.Lock()
		defer mu.Unlock()
		step()
		if all {
			r.observed[d.Name] = found
		}
		return nil
	})
	var unseen []string
	for _, d := range domains {
		if !r.looked(d.Name) {
			unseen = append(unseen, d.Name)
		}
	}
	if len(unseen) > 0 && ctx.Err() == nil {
		r.UI.Logf("no time was left to look for the records of %s: the next run does", text.List(unseen, maxListed))
	}
}

// isPublished reports whether a name server has the record of a key.
func isPublished(ctx context.Context, dns DNS, d spec.Domain, k keyring.Key) bool {
	v := dns.Check(ctx, dnscheck.ForKey(d.Name, d.TTL, k))
	return slices.ContainsFunc(v.Servers, func(server dnscheck.ServerResult) bool {
		return slices.ContainsFunc(server.Records, func(r dnscheck.RecordResult) bool { return r.OK() })
	})
}
