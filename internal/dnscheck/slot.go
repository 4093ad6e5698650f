package dnscheck

import (
	"cmp"
	"context"
	"sync"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// flattenedTTL is how long others may remember an answer of a server that has a copy of
// what is behind a CNAME instead of the CNAME: when it made the copy, and what the TTL of
// the one before was, nobody can see.
const flattenedTTL = 24 * time.Hour

// observeSlot is ObserveKey for a key of a slot, of which a revoked one has an empty p=: the
// servers of the slot zone come first, then those of the domain with what the CNAME leads
// to, or with a copy of that, and the resolver last.
func observeSlot(ctx context.Context, c *dnsclient.Client, domain string, ttl uint32, k keyring.Key) keyring.Observation {
	target := k.Record(domain, ttl)
	if k.Stage == keyring.Revoked {
		target, k.Public = k.RevokedRecord(domain, ttl), ""
	}
	owner := target
	owner.Name = dnsname.Key(k.Selector, domain) + "."
	behind := Check(ctx, c, ForDomain(domain, []state.Record{target}, []keyring.Key{k}, false), Result{})
	if problem := serverProblem(behind); problem != "" {
		return keyring.Observation{Problem: problem}
	}
	alias := Check(ctx, c, ForDomain(domain, []state.Record{owner}, []keyring.Key{k}, false), Result{})
	if problem := serverProblem(alias); problem != "" {
		return keyring.Observation{Problem: "its CNAME: " + problem, Alias: true}
	}
	var negative [2]time.Duration
	var errs [2]error
	var wg sync.WaitGroup
	for i, zone := range []string{behind.Servers[0].Zone, alias.Servers[0].Zone} {
		wg.Go(func() { negative[i], errs[i] = negativeTTL(ctx, c, zone) })
	}
	problem := resolverProblem(ctx, c, owner.Name, k.Public)
	wg.Wait()
	if problem != "" {
		return keyring.Observation{Problem: problem}
	}
	if err := cmp.Or(errs[0], errs[1]); err != nil {
		return keyring.Observation{Problem: err.Error()}
	}
	return keyring.Observation{Published: true, MaxCacheTTL: max(negative[0], negative[1], time.Duration(ttl)*time.Second, aliasTTL(alias))}
}

// aliasTTL returns how long others may remember what the servers of a domain answer at the
// name of a slot.
func aliasTTL(r Result) (longest time.Duration) {
	for _, s := range r.Servers {
		for _, seen := range s.Records {
			for i, x := range seen.Seen {
				if i == 0 && x.Type != "CNAME" {
					longest = max(longest, flattenedTTL)
				}
				longest = max(longest, time.Duration(x.TTL)*time.Second)
			}
		}
	}
	return longest
}
