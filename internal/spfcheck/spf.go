// Package spfcheck evaluates SPF records (RFC 7208) as receivers do, for the addresses that mail leaves from.
package spfcheck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	spf "blitiri.com.ar/go/spf"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
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

// atOnce is how many names are evaluated at the same time.
const atOnce = 64

// maxVoid is the number of void look-ups that an evaluation may have, RFC 7208 section
// 4.6.4. Nearly all receivers keep to it.
const maxVoid = 2

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
	names := newResolvedNames(r, q.Zones, q.Planned)
	out := map[string]state.SPF{}
	var mu sync.Mutex
	_ = parallel.Do(len(all), atOnce, func(i int) error {
		name := all[i]
		e := evaluation{ctx: ctx, names: names, name: name}
		fact, found := e.evaluate(q.Addresses)
		mu.Lock()
		defer mu.Unlock()
		if found || slices.Contains(q.Includes, name) {
			out[name] = fact
		}
		return nil
	})
	return out
}

// evaluation is the evaluation of one name.
type evaluation struct {
	ctx   context.Context
	names *resolvedNames
	name  string
	fact  state.SPF
}

func (e *evaluation) evaluate(addrs []netip.Addr) (fact state.SPF, found bool) {
	texts, status := e.spfRecords(e.name)
	switch {
	case status == dnsclient.Unknown:
		return state.SPF{Unresolved: e.name}, false
	case len(texts) == 0:
		return state.SPF{Problem: e.name + " has no SPF record"}, false
	}
	e.fact.Record = texts[0]
	e.fact.Lookups = e.count(e.name, nil)
	if e.fact.Lookups > policy.MaxLookups {
		e.problem(fmt.Sprintf("it takes %d DNS look-ups, and receivers stop after %d (RFC 7208 section 4.6.4)",
			e.fact.Lookups, policy.MaxLookups))
	}
	// An address that no record names takes the evaluation to its end. Names
	// that have addresses of one family only are no fault.
	result, err := e.check(netip.MustParseAddr("255.255.255.255"), maxVoid, "A", "AAAA")
	if result == spf.PermError {
		e.problem(explainError(err))
	}
	for _, a := range addrs {
		family := "AAAA"
		if a.Unmap().Is4() {
			family = "A"
		}
		switch result, err := e.check(a, maxVoid, family); {
		case result == spf.TempError:
			e.addUnresolved(e.name)
		case result == spf.Pass:
		case errors.Is(err, spf.ErrVoidLookupLimitReached) && e.passesUnlimited(a, family):
			e.fact.Unreached = append(e.fact.Unreached, a)
		default:
			e.fact.Denied = append(e.fact.Denied, a)
		}
	}
	return e.fact, true
}

// passesUnlimited reports whether one of the record's own terms names the address, and
// passes it if void look-ups are not limited.
func (e *evaluation) passesUnlimited(a netip.Addr, family string) bool {
	rec, err := policy.ParseSPF(e.fact.Record)
	if err != nil || !rec.Names(a) {
		return false
	}
	result, _ := e.check(a, math.MaxInt, family)
	return result == spf.Pass
}

// check returns the result of a receiver that queries addresses of these families and
// gives up after more void look-ups than the given number.
func (e *evaluation) check(a netip.Addr, void int, families ...string) (spf.Result, error) {
	r := &receiver{names: e.names, families: families, void: void}
	result, err := spf.CheckHostWithSender(net.IP(a.AsSlice()), e.name, "postmaster@"+e.name,
		spf.WithContext(e.ctx), spf.WithResolver(r), spf.OverrideVoidLookupLimit(math.MaxUint))
	if r.fault != nil {
		return spf.PermError, r.fault
	}
	return result, err
}

// spfRecords returns the SPF records of a name.
func (e *evaluation) spfRecords(name string) ([]string, dnsclient.Status) {
	values, status := e.names.ask(e.ctx, name, "TXT")
	return slices.DeleteFunc(slices.Clone(values), func(t string) bool { return !policy.IsSPF(t) }), status
}

// count returns the number of terms with DNS queries in a name's record, including
// those of records that it names, for an address that matches none of them. It notes
// faults on the way.
func (e *evaluation) count(name string, path []string) int {
	texts, status := e.spfRecords(name)
	switch {
	case status == dnsclient.Unknown:
		e.addUnresolved(name)
		return 0
	case len(texts) == 0:
		e.problem(name + " has no SPF record")
		return 0
	case len(texts) > 1:
		e.problem(fmt.Sprintf("%s has %d SPF records where one is allowed (RFC 7208 section 3.2)", name, len(texts)))
		return 0
	case slices.Contains(path, name):
		e.problem(name + " leads back to itself")
		return policy.MaxLookups + 1
	}
	s, err := policy.ParseSPF(texts[0])
	if err != nil {
		e.problem(e.recordLabel(name) + err.Error())
		return 0
	}
	n := s.Lookups()
	for _, t := range s.Terms() {
		to := strings.ToLower(dnsname.TrimDot(t.Value))
		if (t.Name == "include" || t.Name == "redirect") && !strings.Contains(to, "%") && n <= 10*policy.MaxLookups {
			n += e.count(to, append(path, name))
		}
	}
	return n
}

// recordLabel names a record that is not the one that is evaluated.
func (e *evaluation) recordLabel(name string) string {
	if name == e.name {
		return ""
	}
	return name + ": "
}

// problem sets the first fault.
func (e *evaluation) problem(text string) {
	if e.fact.Problem == "" {
		e.fact.Problem = text
	}
}

func (e *evaluation) addUnresolved(name string) {
	if e.fact.Unresolved == "" {
		e.fact.Unresolved = name
	}
}

// explainError puts go/spf's permanent errors into an administrator's words.
func explainError(err error) string {
	switch {
	case errors.Is(err, spf.ErrVoidLookupLimitReached):
		return "more than two of the names in it have no records, and receivers stop there (RFC 7208 section 4.6.4)"
	case errors.Is(err, spf.ErrTooManyMXRecords):
		return "an mx in it has more than ten hosts (RFC 7208 section 4.6.4)"
	case errors.Is(err, spf.ErrInvalidMacro):
		return "a macro in it is wrong (RFC 7208 section 7)"
	}
	return "receivers take it for a permanent error: " + err.Error()
}
