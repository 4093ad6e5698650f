// Package zone checks the zones of mail domains, their name servers and their MX.
package zone

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"

	"github.com/miekg/dns"
)

// Checker checks the zones of many domains, of which some are the same and most have
// the same name servers: what is known of a zone or a server is asked once.
type Checker struct {
	dns *dnsclient.Client // with a cache

	mu    sync.Mutex
	zones map[string]*once[authority]
	tcp   map[string]*once[error]

	registry *registry // nil: hosts of others are not asked
}

// New returns a Checker that asks by a client with a cache.
func New(c *dnsclient.Client) *Checker {
	return &Checker{dns: c, zones: map[string]*once[authority]{}, tcp: map[string]*once[error]{}}
}

// NewOnline is New for a Checker that asks registries, too.
func NewOnline(w outside.World) *Checker {
	k := New(w.DNS)
	k.registry = &registry{world: w, known: map[string]*once[registration]{}}
	return k
}

// once is a value that is found by the first who wants it.
type once[V any] struct {
	sync.Once
	value V
}

// maxKept is how many values are kept: the zones of thousands of domains are not needed
// all the time. Who waits for a value has it.
const maxKept = 1000

// get returns the value of a key in a map that the mutex guards.
func get[V any](mu *sync.Mutex, m map[string]*once[V], key string, find func() V) V {
	mu.Lock()
	if m[key] == nil {
		if len(m) >= maxKept {
			clear(m)
		}
		m[key] = &once[V]{}
	}
	o := m[key]
	mu.Unlock()
	o.Do(func() { o.value = find() })
	return o.value
}

// authority is a zone with what its name servers say of it.
type authority struct {
	zone string // absolute
	dnsclient.Authority
	servers []server
	// ownView: the resolver of this server has another copy than the servers to which
	// the parent zone leads.
	ownView bool
}

// server is one address of a name server, and whether it is in charge.
type server struct {
	dnsclient.NameServer
	wrong dnsclient.Finding
	soa   *dns.SOA
}

// maxServers is how many addresses of name servers of one zone are asked.
const maxServers = 26

// authorityOf asks all servers of a zone for its SOA.
func (k *Checker) authorityOf(ctx context.Context, zone string) authority {
	return get(&k.mu, k.zones, zone, func() authority {
		a := authority{zone: zone}
		a.Authority, _ = k.dns.Authority(ctx, zone)
		list := a.Servers
		if len(list) > maxServers {
			list = list[:maxServers]
		}
		a.servers = make([]server, len(list))
		var wg sync.WaitGroup
		for i, n := range list {
			wg.Go(func() { a.servers[i] = k.ask(ctx, n, zone) })
		}
		wg.Wait()
		if a.DelegationError == nil && !slices.Equal(a.Named, a.Delegated) {
			k.askWorld(ctx, &a)
		}
		return a
	})
}

// askWorld asks a server to which the parent zone leads which name servers the zone has.
// The resolver may say so of a copy for this network alone, whose servers the world does
// not ask.
func (k *Checker) askWorld(ctx context.Context, a *authority) {
	i := slices.IndexFunc(a.servers, func(s server) bool {
		return s.soa != nil && slices.Contains(a.Delegated, dns.CanonicalName(s.Name))
	})
	if i < 0 {
		return
	}
	m, wrong := k.dns.Ask(ctx, a.servers[i].NameServer, a.zone, a.zone, dns.TypeNS)
	if !wrong.OK() || len(m.Answer) == 0 {
		return
	}
	var named []string
	for _, rr := range m.Answer {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, a.zone) && len(named) < maxRecords {
			named = append(named, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(named)
	named = slices.Compact(named)
	a.ownView = !slices.Equal(named, a.Named)
	a.Named = named
	a.servers = slices.DeleteFunc(a.servers, func(s server) bool {
		name := dns.CanonicalName(s.Name)
		return !slices.Contains(a.Delegated, name) && !slices.Contains(named, name)
	})
}

func (k *Checker) ask(ctx context.Context, n dnsclient.NameServer, zone string) server {
	m, wrong := k.dns.Ask(ctx, n, zone, zone, dns.TypeSOA)
	s := server{NameServer: n, wrong: wrong}
	if !wrong.OK() {
		return s
	}
	for _, rr := range m.Answer {
		if soa, ok := rr.(*dns.SOA); ok && strings.EqualFold(soa.Hdr.Name, zone) {
			s.soa = soa
		}
	}
	if s.soa == nil {
		s.wrong = dnsclient.Finding{Fault: dnsclient.Lame, Text: "it has no SOA of " + dnsname.TrimDot(zone), Remedy: "configure the zone " + dnsname.TrimDot(zone) + " there, or take its NS record out"}
	}
	return s
}

// inCharge returns the servers that answer for the zone.
func (a authority) inCharge() []server {
	return slices.DeleteFunc(slices.Clone(a.servers), func(s server) bool { return s.soa == nil })
}

// find returns the zone of a domain. Where the resolver fails, that may be due to the
// servers of the domain itself, which are asked then.
func (k *Checker) find(ctx context.Context, domain string) (authority, error) {
	name := dns.Fqdn(domain)
	zone, err := k.dns.ZoneOf(ctx, name)
	if err == nil {
		return k.authorityOf(ctx, zone), nil
	}
	if dnsclient.ServerFailed(err) {
		if a := k.authorityOf(ctx, name); a.DelegationError == nil && len(a.Delegated) > 0 {
			return a, nil
		}
	}
	return authority{}, err
}

// Check checks the zone of a domain and its MX: what asks about different things does so
// side by side.
func (k *Checker) Check(ctx context.Context, s subject.Server, d subject.Domain) finding.Result {
	var mx finding.Result
	var wg sync.WaitGroup
	wg.Go(func() { mx = k.mx(ctx, s, d) })
	a, err := k.find(ctx, d.Name)
	looks := []func() []finding.Finding{func() []finding.Finding { return k.delegation(ctx, s, d, a, err) }}
	if err == nil && len(a.inCharge()) > 0 { // else that is the cause of whatever could be said
		looks = append(looks,
			func() []finding.Finding { return k.same(ctx, s, d, a) },
			func() []finding.Finding { return k.aliases(ctx, d) },
			func() []finding.Finding { return k.wildcards(ctx, d, a) },
			func() []finding.Finding { return k.wildcardKeys(ctx, d, a) },
			func() []finding.Finding { return k.emptyNonTerminal(ctx, d, a) },
			func() []finding.Finding { return k.size(ctx, d, a) },
			func() []finding.Finding { return []finding.Finding{k.dnssec(ctx, s, d, a)} },
			func() []finding.Finding { return []finding.Finding{k.soa(ctx, s, d, a)} },
			func() []finding.Finding { return k.registered(ctx, s, d, a) },
		)
	}
	each := make([][]finding.Finding, len(looks))
	for i, look := range looks {
		wg.Go(func() { each[i] = look() })
	}
	wg.Wait()
	r := finding.Result{Findings: slices.Concat(each...)}
	r.Add(mx)
	return r
}

// unanswered makes a finding unknown since the resolver had no answer. If that is due to
// the zone, or to the resolver itself, they have findings of their own.
func unanswered(f finding.Finding, err error) finding.Finding {
	f.Severity, f.Seen, f.CausedBy = finding.Unknown, finding.Excerpt(err.Error()), "net.resolver"
	if dnsclient.ServerFailed(err) {
		f.CausedBy = "dns.delegation"
	}
	return f
}

// delegation checks that the parent zone leads to name servers, and that they are in
// charge.
func (k *Checker) delegation(ctx context.Context, s subject.Server, d subject.Domain, a authority, err error) []finding.Finding {
	f := finding.Finding{ID: "dns.delegation", Severity: finding.OK, Domain: d.Name, Subject: dnsname.TrimDot(a.zone)}
	switch {
	case errors.Is(err, dnsclient.ErrNoZone):
		f.Subject, f.Severity, f.Seen, f.Expected = d.Name, finding.Problem, "no zone has it: the name does not exist for the world", "a registered domain with name servers"
		f.Remedy = finding.Text("register " + d.Name + ", or have its parent zone delegate it")
		return []finding.Finding{f}
	case err != nil:
		f.Subject = d.Name
		f = unanswered(f, err)
		if f.CausedBy == f.ID {
			f.CausedBy = ""
		}
		return []finding.Finding{f}
	case a.DelegationError == nil && len(a.Delegated) == 0:
		f.Severity, f.Seen, f.Expected = finding.Problem, "the parent zone does not delegate it: only this resolver knows the zone", "NS records in the parent zone"
		f.Remedy = finding.Text("enter its name servers at the registrar, or in the parent zone: " + finding.Excerpt(strings.Join(trimmed(a.Named), ", ")))
		return []finding.Finding{f}
	}
	list := k.lame(ctx, s, d, a)
	if different := !slices.Equal(a.Delegated, a.Named); len(list) == 0 && a.DelegationError == nil && len(a.Named) > 0 && different {
		f.Severity, f.Expected = finding.Warning, "the same name servers in both"
		f.Seen = finding.Excerpt("the parent zone has " + strings.Join(trimmed(a.Delegated), ", ") + "; the zone itself has " + strings.Join(trimmed(a.Named), ", "))
		f.Remedy = finding.Text("make the NS records of " + f.Subject + " the same as those at the registrar (or in its parent zone)")
		return []finding.Finding{f}
	}
	if len(list) == 0 {
		f.Seen = finding.Excerpt("in charge: " + strings.Join(names(a.inCharge()), ", "))
		if a.DelegationError != nil {
			f.Seen += " (its parent zone could not be asked)"
		}
		if a.ownView {
			f.Severity, f.Seen = finding.Note, f.Seen+"; the resolver of this server has a copy of its own, with other name servers"
		}
		list = []finding.Finding{f}
	}
	return list
}

func trimmed(list []string) []string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		out = append(out, dnsname.TrimDot(n))
	}
	return out
}

func names(list []server) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}

// lame returns a finding for each server that is not in charge.
func (k *Checker) lame(ctx context.Context, here subject.Server, d subject.Domain, a authority) []finding.Finding {
	var list []finding.Finding
	none := len(a.inCharge()) == 0
	if silent := !slices.ContainsFunc(a.servers, func(s server) bool { return s.wrong.Fault != dnsclient.NoAnswer }); silent && len(a.servers) > 0 {
		if _, status, _ := k.dns.Lookup(ctx, a.zone, "SOA"); status == dnsclient.Found {
			return []finding.Finding{{
				ID: "dns.delegation", Severity: finding.Unknown, Domain: d.Name, Subject: dnsname.TrimDot(a.zone),
				Seen:     "none of its name servers answers from here, and the resolver has the zone: questions to the outside seem to be closed off",
				Expected: "a way to port 53 of others, UDP and TCP", Remedy: finding.Text("open port 53 to the outside, or on another machine:").Command("mailsetup check %s", d.Name),
			}}
		}
	}
	for _, s := range a.servers {
		f := finding.Finding{
			ID: "dns.delegation", Severity: finding.Problem, Domain: d.Name, Subject: s.String(),
			Seen: s.wrong.Text, Expected: "an answer with authority", Remedy: finding.Advice(s.wrong.Remedy),
		}
		switch s.wrong.Fault {
		case dnsclient.OK, dnsclient.NotAsked:
			continue
		case dnsclient.NoAddress:
			if !none {
				f.Severity = finding.Warning
			}
			if err := addressUnknown(ctx, k.dns, s.Name); err != nil {
				f = unanswered(f, err)
			}
		case dnsclient.NoAnswer:
			if !none && !uses(here, s) {
				continue // it is this server that has no such way
			}
			// From here it may be the way that is broken. If no other server answers and
			// the resolver finds none either, it is more than that.
			f.Severity = finding.Unknown
			if _, _, err := k.dns.Lookup(ctx, a.zone, "SOA"); none && dnsclient.ServerFailed(err) {
				f.Severity = finding.Problem
			}
			if ctx.Err() != nil {
				f.Severity = finding.Unknown
			}
		}
		list = append(list, f)
	}
	if len(list) == 0 && none { // no way to any of them
		list = append(list, finding.Finding{
			ID: "dns.delegation", Severity: finding.Unknown, Domain: d.Name, Subject: dnsname.TrimDot(a.zone),
			Seen: "no name server can be asked from here",
		})
	}
	return list
}

// uses reports whether this server has addresses of the family of a name server's.
func uses(here subject.Server, s server) bool {
	host, _, _ := net.SplitHostPort(s.Address)
	a, err := netip.ParseAddr(host)
	return err != nil || slices.ContainsFunc(here.Facts.Addresses, func(own netip.Addr) bool { return own.Is4() == a.Is4() })
}

// addressUnknown returns why it is not known whether a name has addresses, nil if it has
// none.
func addressUnknown(ctx context.Context, c *dnsclient.Client, name string) error {
	for _, t := range []string{"A", "AAAA"} {
		if _, _, err := c.Lookup(ctx, dns.Fqdn(name), t); err != nil {
			return err
		}
	}
	return nil
}

// addresses returns the addresses of a name as the world sees them, and the end of its
// aliases. If the resolver has only private ones, it may have a view of its own, and
// authoritative servers decide. The error says that a look-up failed.
func (k *Checker) addresses(ctx context.Context, name string) (list []netip.Addr, alias string, err error) {
	list, alias, err = addresses(ctx, name, k.dns.Lookup)
	if len(list) > 0 && !slices.ContainsFunc(list, subject.Public) {
		if outside, _, wrong := addresses(ctx, name, k.dns.LookupAuthoritative); wrong == nil && len(outside) > 0 {
			list = outside
		}
	}
	return list, alias, err
}

func addresses(ctx context.Context, name string, look func(ctx context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error)) (list []netip.Addr, alias string, err error) {
	types := []string{"A", "AAAA"}
	found, errs := make([][]state.Record, len(types)), make([]error, len(types))
	var wg sync.WaitGroup
	for i, t := range types {
		wg.Go(func() { found[i], _, errs[i] = look(ctx, dns.Fqdn(name), t) })
	}
	wg.Wait()
	for _, rr := range slices.Concat(found...) {
		if rr.Type == "CNAME" {
			alias = dnsname.TrimDot(rr.Value)
		} else if a, bad := netip.ParseAddr(rr.Value); bad == nil && len(list) < maxRecords {
			list = append(list, a)
		}
	}
	return list, alias, cmp.Or(errs[1], errs[0])
}

// maxRecords is how many records of one name are looked at.
const maxRecords = 50
