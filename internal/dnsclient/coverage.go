package dnsclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/wildcard"
)

// Coverage is which wildcards of a zone answer for some names.
type Coverage struct {
	Origin string // of the zone
	// Records are those of the wildcards, and what stands at the end of their
	// aliases inside the zone.
	Records []state.Record
	// Names are those among the names, and above them, that exist whatever we
	// publish: no wildcard answers for them.
	Names []string
}

// coverageTypes are queried: those that clients use at names without underscores, and
// TXT. Not every server answers ANY (RFC 8482).
var coverageTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeSRV}

// FindCoverage finds out which of some names exist in a zone independently of our
// records, and which wildcards answer for the others. Query puts a question to one name
// server, without recursion: a resolver would cache that a name does not exist.
func FindCoverage(origin string, names []string, ours []state.Record, query func(name string, kind uint16) (*dns.Msg, error)) (Coverage, error) {
	f := &coverageFinder{origin: origin, ours: ours, query: query}
	return f.cover(names)
}

// Coverage queries an authoritative server of the zone that holds all of these names.
// Ours are records that are published there, now or later: they do not make a name
// exist by itself.
func (c *Client) Coverage(ctx context.Context, names []string, ours []state.Record) (Coverage, error) {
	zone, err := c.ZoneOf(ctx, names[0])
	if err != nil {
		return Coverage{}, err
	}
	a, err := c.Authority(ctx, zone)
	if err != nil {
		return Coverage{}, err
	}
	for _, n := range a.Servers {
		found, wrong := FindCoverage(zone, names, ours, func(name string, kind uint16) (*dns.Msg, error) {
			m, wrong := c.Ask(ctx, n, zone, name, kind)
			if wrong.Fault != OK && (m == nil || Referral(m) == "") {
				return nil, fmt.Errorf("%s: %s", n, wrong.Text)
			}
			return m, nil
		})
		if wrong == nil {
			return found, nil
		}
		err = cmp.Or(err, wrong)
	}
	return Coverage{}, cmp.Or(err, fmt.Errorf("no name server of %s can be asked", dnsname.TrimDot(zone)))
}

// UnusedName returns a name that nobody has, below the given one.
func UnusedName(above string) string { return fmt.Sprintf("mailsetup-%08x.%s", rand.Uint32(), above) }

// coverageFinder finds the names that exist in a zone, and its wildcards.
type coverageFinder struct {
	query  func(name string, kind uint16) (*dns.Msg, error)
	origin string
	ours   []state.Record

	exists    map[string]bool
	wildcards map[string][]state.Record // by the name below which they answer
	found     Coverage
}

func (f *coverageFinder) cover(names []string) (Coverage, error) {
	f.exists, f.wildcards, f.found = map[string]bool{f.origin: true}, map[string][]state.Record{}, Coverage{Origin: f.origin}
	if err := f.wildcard(f.origin); err != nil {
		return Coverage{}, err
	}
	var chain []string
	for _, n := range names {
		chain = append(chain, wildcard.Ancestors(dns.CanonicalName(n), f.origin)...)
	}
	slices.SortFunc(chain, func(a, b string) int {
		return cmp.Or(cmp.Compare(dns.CountLabel(a), dns.CountLabel(b)), cmp.Compare(a, b))
	})
	for _, name := range slices.Compact(chain) {
		if !f.exists[dnsname.Parent(name)] {
			continue // nor does anything below that
		}
		yes, err := f.existsByItself(name)
		if err != nil {
			return Coverage{}, err
		}
		if !yes {
			continue
		}
		f.exists[name] = true
		f.found.Names = append(f.found.Names, name)
		if err := f.wildcard(name); err != nil {
			return Coverage{}, err
		}
	}
	return f.found, nil
}

// wildcard queries for the records of the wildcard below an existing name, and for the
// target of its alias.
func (f *coverageFinder) wildcard(name string) error {
	owner := wildcard.Owner(name)
	list, there, err := f.allRecords(owner)
	if err != nil || !there {
		return err
	}
	f.wildcards[name] = list
	f.found.Records = append(f.found.Records, list...)
	for _, r := range list {
		if r.Type == "CNAME" && dns.IsSubDomain(f.origin, r.Value) {
			behind, _, err := f.allRecords(r.Value)
			if err != nil {
				return err
			}
			f.found.Records = append(f.found.Records, behind...)
		}
	}
	return nil
}

// existsByItself reports whether a name exists independently of our records.
func (f *coverageFinder) existsByItself(name string) (bool, error) {
	covering := f.wildcards[dnsname.Parent(name)]
	if len(covering) == 0 { // whether it is ours alone makes no difference then
		_, there, err := f.recordsAt(name, dns.TypeA)
		return there, err
	}
	list, _, err := f.allRecords(name)
	if err != nil {
		return false, err
	}
	for _, r := range list {
		byWildcard := slices.ContainsFunc(covering, func(w state.Record) bool { w.Name = name; return state.Same(w, r) })
		if !byWildcard && !slices.ContainsFunc(f.ours, func(o state.Record) bool { return inPlaceOf(o, r) }) {
			return true, nil
		}
	}
	if published, err := f.published(name, covering); published || err != nil {
		// Nobody can tell any more whether it did before. Where only names below it
		// are ours it is taken to: no more is said to be lost than is known to be.
		here := slices.ContainsFunc(f.ours, func(o state.Record) bool { return strings.EqualFold(o.Name, name) })
		return err == nil && !here, err
	}
	if !answeredAll(list, covering, name) {
		return true, nil
	}
	// What is below a name that exists is not covered by what covers others.
	some := UnusedName(name)
	list, there, err := f.recordsAt(some, dns.StringToType[covering[0].Type])
	return !there || !answeredAll(list, covering[:1], some), err
}

// answeredAll reports whether a name has all records of the wildcard that covers it.
func answeredAll(list, covering []state.Record, name string) bool {
	return !slices.ContainsFunc(covering, func(w state.Record) bool {
		w.Name = name
		return !slices.ContainsFunc(list, func(r state.Record) bool { return state.Same(w, r) })
	})
}

// published reports whether one of our records is at or below a name.
func (f *coverageFinder) published(name string, covering []state.Record) (bool, error) {
	for _, o := range f.ours {
		if !dns.IsSubDomain(name, o.Name) {
			continue
		}
		list, _, err := f.recordsAt(o.Name, dns.StringToType[o.Type])
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(list, func(r state.Record) bool {
			return inPlaceOf(o, r) && !slices.ContainsFunc(covering, func(w state.Record) bool { w.Name = r.Name; return state.Same(w, r) })
		}) {
			return true, nil
		}
	}
	return false, nil
}

// inPlaceOf reports whether a record is one of ours, or another text for the same
// purpose.
func inPlaceOf(ours, r state.Record) bool {
	if state.Same(ours, r) {
		return true
	}
	return state.SameSet(ours, r) && r.Type == "TXT" && dnsname.Conflict(r.Name, r.Value, ours.Value)
}

// allRecords returns the records at a name, an alias alone; there is false for a name
// that neither exists nor is covered.
func (f *coverageFinder) allRecords(name string) (list []state.Record, there bool, err error) {
	for _, kind := range coverageTypes {
		some, exists, err := f.recordsAt(name, kind)
		if err != nil || !exists {
			return nil, false, err
		}
		if slices.ContainsFunc(some, func(r state.Record) bool { return r.Type == "CNAME" }) {
			return some, true, nil
		}
		list = append(list, some...)
	}
	return list, true, nil
}

// recordsAt returns the records of a type at a name. A delegated name has none in this
// zone.
func (f *coverageFinder) recordsAt(name string, kind uint16) (list []state.Record, there bool, err error) {
	m, err := f.query(name, kind)
	switch {
	case err != nil:
		return nil, false, err
	case m.Rcode == dns.RcodeNameError, !m.Authoritative && Referral(m) != "":
		return nil, false, nil
	case m.Rcode != dns.RcodeSuccess:
		return nil, false, errors.New("answers " + dns.RcodeToString[m.Rcode] + " about " + dnsname.TrimDot(name))
	}
	for _, rr := range m.Answer {
		owner, t := dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype
		if owner == dns.CanonicalName(name) && (t == kind || t == dns.TypeCNAME) {
			list = append(list, FromRR(rr))
		}
	}
	return list, true, nil
}
