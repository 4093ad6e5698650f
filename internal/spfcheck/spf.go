// Package spfcheck evaluates SPF records (RFC 7208) as receivers do, for the addresses that mail leaves from.
package spfcheck

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/parallel"
	"mailsetup/internal/policy"
	"mailsetup/internal/state"
)

// The evaluation of all records together is bounded: by a time, and some more
// for each of many.
const (
	spfWithin  = 10 * time.Second
	spfForEach = 20 * time.Millisecond
)

// atOnce is how many names are evaluated at the same time. The client bounds the questions.
const atOnce = 256

// Query says which records to evaluate, and for which addresses.
type Query struct {
	Zones     []state.Zone
	Names     []string     // the domains and the host name
	Includes  []string     // third parties that are wished for
	Addresses []netip.Addr // of this server, as receivers see them
	// Planned are records that will be served besides what the zones hold: an
	// mx passes that only the run will publish.
	Planned []state.Record
}

// Evaluate evaluates existing SPF records (RFC 7208): of the zone of this machine if it
// serves the name, else of DNS. A name without a record is not in the result, and
// neither is one for which DNS could not be queried. A wanted include always is:
// without a record it has a Problem, since every record with it would be a permerror.
func Evaluate(ctx context.Context, r dnsclient.Resolver, q Query) map[string]state.SPF {
	all := slices.Concat(q.Names, q.Includes)
	ctx, cancel := context.WithTimeout(ctx, spfWithin+time.Duration(len(all))*spfForEach)
	defer cancel()
	names := newNames(r, q.Zones, q.Planned)
	out := map[string]state.SPF{}
	var mu sync.Mutex
	_ = parallel.Do(len(all), atOnce, func(i int) error {
		name := all[i]
		fact, found := evaluate(ctx, names, name, q.Addresses)
		mu.Lock()
		defer mu.Unlock()
		if found || slices.Contains(q.Includes, name) {
			out[name] = fact
		}
		return nil
	})
	return out
}

// evaluate evaluates the record of one name.
func evaluate(ctx context.Context, names *Names, name string, addrs []netip.Addr) (fact state.SPF, found bool) {
	r := names.Walk(ctx, name)
	switch {
	case r.Text != "":
	case r.Faults[0].Kind == NoAnswer:
		return state.SPF{Unresolved: name}, false
	default:
		return state.SPF{Problem: r.Faults[0].Text}, false
	}
	fact = state.SPF{Record: r.Text, Lookups: r.Lookups, Problem: r.problem()}
	for _, f := range r.Faults {
		if f.Kind == NoAnswer {
			fact.Unresolved = cmp.Or(fact.Unresolved, f.Name)
		}
	}
	for _, a := range addrs {
		c := Client{Address: a, HELO: name, Sender: name}
		switch v := names.Check(ctx, Receiver{}, c); {
		case v.Result == TempError:
			fact.Unresolved = cmp.Or(fact.Unresolved, name)
		case v.Result == Pass:
		case v.Fault != nil && v.Fault.Kind == TooManyVoids && r.SPF.Names(a) && names.Check(ctx, Receiver{Unlimited: true}, c).Result == Pass:
			fact.Unreached = append(fact.Unreached, a)
		default:
			fact.Denied = append(fact.Denied, a)
		}
	}
	return fact, true
}

// problem returns the first reason why receivers take the record for a permanent error,
// wherever in it that is; "" for none.
func (r *Record) problem() string {
	for _, f := range r.Faults {
		switch {
		case f.Kind == BadSyntax && f.Name != r.Name:
			return f.Name + ": " + f.Text
		case f.Kind != NoAnswer:
			return f.Text
		}
	}
	switch {
	case r.Lookups > policy.MaxLookups:
		return fmt.Sprintf("it takes %d DNS look-ups, and receivers stop after %d (RFC 7208 section 4.6.4)", r.Lookups, policy.MaxLookups)
	case len(r.Voids) > maxVoid:
		return "more than two of the names in it have no records, and receivers stop there (RFC 7208 section 4.6.4)"
	}
	return ""
}
