package dnspub

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

// Cover is what a name server says of the wildcards that answer for some names.
type Cover struct {
	Origin string // of the zone
	// Records are those of the wildcards, and what stands at the end of their
	// aliases inside the zone.
	Records []state.Record
	// Names are those among the names, and above them, that exist whatever we
	// publish: no wildcard answers for them.
	Names []string
}

// coverTypes are asked for: what people look for at names without underscores,
// and texts. Not every server tells all types at once (RFC 8482).
var coverTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeSRV}

// put puts a question to one name server, without recursion, so that nobody
// remembers that a name does not exist yet.
type put func(name string, kind uint16) (*dns.Msg, error)

// Cover asks a server in charge of the zone that holds all of these names. Ours
// are the records that are published there, now or later: they make no name
// exist by itself.
func (c *Client) Cover(ctx context.Context, names []string, ours []state.Record) (Cover, error) {
	zone, err := c.ZoneOf(ctx, names[0])
	if err != nil {
		return Cover{}, err
	}
	a, err := c.serversFor(ctx, zone)
	if err != nil {
		return Cover{}, err
	}
	for _, n := range a.Servers {
		f := &finder{origin: zone, ours: ours, put: func(name string, kind uint16) (*dns.Msg, error) {
			m, wrong := c.ask(ctx, n, zone, name, kind)
			if wrong.Fault != OK && (m == nil || referral(m) == "") {
				return nil, fmt.Errorf("%s: %s", n, wrong.Text)
			}
			return m, nil
		}}
		found, wrong := f.cover(names)
		if wrong == nil {
			return found, nil
		}
		err = cmp.Or(err, wrong)
	}
	return Cover{}, cmp.Or(err, fmt.Errorf("no name server of %s can be asked", noDot(zone)))
}

// Cover asks a primary; see Client.Cover.
func (p *Primaries) Cover(ctx context.Context, server string, key Key, origin string, names []string, ours []state.Record) (Cover, error) {
	l, err := p.line(ctx, server, key)
	if err != nil {
		return Cover{}, err
	}
	f := &finder{origin: origin, ours: ours, put: func(name string, kind uint16) (*dns.Msg, error) {
		return l.ask(ctx, question(name, kind, false))
	}}
	return f.cover(names)
}

// standing are those of some records that stand in a zone: a wildcard answers
// with records under whatever name was asked for.
func (l *line) standing(ctx context.Context, origin string, have []dns.RR) ([]dns.RR, error) {
	covered, there := map[string]bool{}, map[string]bool{}
	var list []dns.RR
	for _, rr := range have {
		name := dns.CanonicalName(rr.Header().Name)
		above := dnsname.Parent(name)
		if _, known := there[name]; !known {
			there[name] = true
			if _, known := covered[above]; !known && name != origin {
				r, err := l.ask(ctx, question(someName(above), rr.Header().Rrtype, false))
				if err != nil {
					return nil, err
				}
				covered[above] = len(r.Answer) > 0
			}
			if name != origin && covered[above] {
				used, err := l.inUse(ctx, origin, name)
				if err != nil {
					return nil, err
				}
				there[name] = used
			}
		}
		if there[name] {
			list = append(list, rr)
		}
	}
	return list, nil
}

// inUse asks whether a name has records of its own: by an update that changes
// nothing, on the condition that it has (RFC 2136 section 2.4.4).
func (l *line) inUse(ctx context.Context, origin, name string) (bool, error) {
	m := new(dns.Msg).SetUpdate(dns.CanonicalName(origin))
	m.NameUsed([]dns.RR{anyOf(name, dns.TypeANY)})
	r, err := l.ask(ctx, m)
	switch {
	case err != nil:
		return false, err
	case r.Rcode == dns.RcodeNameError:
		return false, nil
	case r.Rcode == dns.RcodeSuccess:
		return true, nil
	}
	return false, l.refusal(r.Rcode)
}

// someName is one below a name that nobody has.
func someName(above string) string { return fmt.Sprintf("mailsetup-%08x.%s", rand.Uint32(), above) }

// finder finds out which names exist in a zone, and its wildcards.
type finder struct {
	put    put
	origin string
	ours   []state.Record

	exists map[string]bool
	wild   map[string][]state.Record // by the name below which they answer
	found  Cover
}

func (f *finder) cover(names []string) (Cover, error) {
	f.exists, f.wild, f.found = map[string]bool{f.origin: true}, map[string][]state.Record{}, Cover{Origin: f.origin}
	if err := f.wildcard(f.origin); err != nil {
		return Cover{}, err
	}
	var chain []string
	for _, n := range names {
		chain = append(chain, wildcard.Above(dns.CanonicalName(n), f.origin)...)
	}
	slices.SortFunc(chain, func(a, b string) int {
		return cmp.Or(cmp.Compare(dns.CountLabel(a), dns.CountLabel(b)), cmp.Compare(a, b))
	})
	for _, name := range slices.Compact(chain) {
		if !f.exists[dnsname.Parent(name)] {
			continue // nor does anything below that
		}
		yes, err := f.existing(name)
		if err != nil {
			return Cover{}, err
		}
		if !yes {
			continue
		}
		f.exists[name] = true
		f.found.Names = append(f.found.Names, name)
		if err := f.wildcard(name); err != nil {
			return Cover{}, err
		}
	}
	return f.found, nil
}

// wildcard asks for the records of the wildcard below a name that exists, and
// for what its alias leads to.
func (f *finder) wildcard(name string) error {
	owner := wildcard.Of(name)
	list, there, err := f.all(owner)
	if err != nil || !there {
		return err
	}
	f.wild[name] = list
	f.found.Records = append(f.found.Records, list...)
	for _, r := range list {
		if r.Type == "CNAME" && dns.IsSubDomain(f.origin, r.Value) {
			behind, _, err := f.all(r.Value)
			if err != nil {
				return err
			}
			f.found.Records = append(f.found.Records, behind...)
		}
	}
	return nil
}

// existing reports whether a name below one that exists does so by itself.
func (f *finder) existing(name string) (bool, error) {
	covering := f.wild[dnsname.Parent(name)]
	if len(covering) == 0 { // whether it is ours alone makes no difference then
		_, there, err := f.at(name, dns.TypeA)
		return there, err
	}
	list, _, err := f.all(name)
	if err != nil {
		return false, err
	}
	for _, r := range list {
		byWildcard := slices.ContainsFunc(covering, func(w state.Record) bool { w.Name = name; return state.Same(w, r) })
		if !byWildcard && !slices.ContainsFunc(f.ours, func(o state.Record) bool { return stands(o, r) }) {
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
	some := someName(name)
	list, there, err := f.at(some, dns.StringToType[covering[0].Type])
	return !there || !answeredAll(list, covering[:1], some), err
}

// answeredAll reports whether a name has all that a wildcard answers for it.
func answeredAll(list, covering []state.Record, name string) bool {
	return !slices.ContainsFunc(covering, func(w state.Record) bool {
		w.Name = name
		return !slices.ContainsFunc(list, func(r state.Record) bool { return state.Same(w, r) })
	})
}

// published reports whether a record of ours stands at or below a name.
func (f *finder) published(name string, covering []state.Record) (bool, error) {
	for _, o := range f.ours {
		if !dns.IsSubDomain(name, o.Name) {
			continue
		}
		list, _, err := f.at(o.Name, dns.StringToType[o.Type])
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(list, func(r state.Record) bool {
			return stands(o, r) && !slices.ContainsFunc(covering, func(w state.Record) bool { w.Name = r.Name; return state.Same(w, r) })
		}) {
			return true, nil
		}
	}
	return false, nil
}

// stands reports whether a record stands where one of ours would: the same, or
// another text for the same purpose.
func stands(ours, r state.Record) bool {
	if state.Same(ours, r) {
		return true
	}
	return state.SameSet(ours, r) && r.Type == "TXT" && (ownName(r.Name) || isSPF(r.Value) && isSPF(ours.Value))
}

// all are the records at a name, an alias alone; there is false of a name that
// neither exists nor is covered.
func (f *finder) all(name string) (list []state.Record, there bool, err error) {
	for _, kind := range coverTypes {
		some, exists, err := f.at(name, kind)
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

// at are the records of a type at a name. One that is given away is for others.
func (f *finder) at(name string, kind uint16) (list []state.Record, there bool, err error) {
	m, err := f.put(name, kind)
	switch {
	case err != nil:
		return nil, false, err
	case m.Rcode == dns.RcodeNameError, !m.Authoritative && referral(m) != "":
		return nil, false, nil
	case m.Rcode != dns.RcodeSuccess:
		return nil, false, errors.New("answers " + dns.RcodeToString[m.Rcode] + " about " + strings.TrimSuffix(name, "."))
	}
	for _, rr := range m.Answer {
		owner, t := dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype
		if owner == dns.CanonicalName(name) && (t == kind || t == dns.TypeCNAME) {
			list = append(list, FromRR(rr))
		}
	}
	return list, true, nil
}
