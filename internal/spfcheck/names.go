package spfcheck

import (
	"context"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// Names answers the queries of SPF evaluations: names in zones of this machine
// from their files, which may be newer than what is served, and all others from DNS. It
// asks each question once.
type Names struct {
	resolver dnsclient.Resolver
	zones    map[string]localZone      // by origin
	planned  map[string][]state.Record // by name

	mu    sync.Mutex
	known map[string]*answer
}

// NewNames returns what asks DNS alone.
func NewNames(r dnsclient.Resolver) *Names { return newNames(r, nil, nil) }

func newNames(r dnsclient.Resolver, zones []state.Zone, planned []state.Record) *Names {
	n := &Names{resolver: r, zones: map[string]localZone{}, planned: map[string][]state.Record{}, known: map[string]*answer{}}
	for _, z := range zones {
		if _, ok := n.zones[z.Origin]; !ok {
			n.zones[z.Origin] = localZone(z)
		}
	}
	for _, p := range planned {
		name := dns.CanonicalName(p.Name)
		n.planned[name] = append(n.planned[name], p)
	}
	return n
}

type answer struct {
	once   sync.Once
	values []string
	status dnsclient.Status
}

// ask returns the data of records, at the end of aliases.
func (n *Names) ask(ctx context.Context, name, rtype string) ([]string, dnsclient.Status) {
	name = dns.CanonicalName(name)
	if _, ok := dns.IsDomainName(name); !ok { // a label is too long or empty
		return nil, dnsclient.NXDomain
	}
	n.mu.Lock()
	a := n.known[name+" "+rtype]
	if a == nil {
		a = &answer{}
		n.known[name+" "+rtype] = a
	}
	n.mu.Unlock()
	a.once.Do(func() { a.values, a.status = n.find(ctx, name, rtype, 8) })
	return a.values, a.status
}

func (n *Names) find(ctx context.Context, name, rtype string, aliases int) ([]string, dnsclient.Status) {
	zone, here := n.zone(name)
	if !here {
		records, status, _ := n.resolver.Lookup(ctx, name, rtype)
		return values(records, rtype), status
	}
	at := zone.records(name)
	if len(at) == 0 && !zone.existsAbove(name) {
		at = zone.wildcard(name)
	}
	if alias := values(at, "CNAME"); len(alias) > 0 && aliases > 0 {
		return n.find(ctx, dns.CanonicalName(alias[0]), rtype, aliases-1)
	}
	found := values(at, rtype)
	if len(found) == 0 {
		found = values(n.planned[name], rtype)
	}
	if len(found) == 0 {
		return nil, dnsclient.NoData
	}
	return found, dnsclient.Found
}

// zone returns the zone of this machine that answers for the name, if its records are
// known.
func (n *Names) zone(name string) (localZone, bool) {
	for i, end := 0, false; !end; i, end = dns.NextLabel(name, i) {
		if z, ok := n.zones[name[i:]]; ok {
			return z, z.Problem == "" && len(z.Records) > 0 && state.Zone(z).Contains(name)
		}
	}
	return localZone{}, false
}

type localZone state.Zone

func (z localZone) records(name string) []state.Record {
	var at []state.Record
	for _, r := range z.Records {
		if strings.EqualFold(r.Name, name) {
			at = append(at, r)
		}
	}
	return at
}

// existsAbove reports whether a name exists because of names below it.
func (z localZone) existsAbove(name string) bool {
	for _, r := range z.Records {
		if dns.IsSubDomain(name, dns.CanonicalName(r.Name)) {
			return true
		}
	}
	return false
}

// wildcard returns the records for a name that does not exist, RFC 4592 section 3.3: of
// the wildcard below its closest encloser.
func (z localZone) wildcard(name string) []state.Record {
	for i, end := dns.NextLabel(name, 0); !end; i, end = dns.NextLabel(name, i) {
		if z.existsAbove(name[i:]) {
			return z.records("*." + name[i:])
		}
	}
	return nil
}

// values returns the data of records of one type.
func values(list []state.Record, rtype string) []string {
	var out []string
	for _, r := range list {
		if r.Type == rtype {
			out = append(out, r.Value)
		}
	}
	return out
}
