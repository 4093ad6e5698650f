// Package dnsexport prints the DNS records that domains need, in the forms that
// name servers, their tools and web forms take.
package dnsexport

import (
	"context"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/jsondoc"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// Domain is what one domain needs in DNS.
type Domain struct {
	Domain  string
	Records []Record
	Notes   []state.Note
	Servers map[string][]string // names of the name servers of zones, where a form says them
}

// Record is one record of a domain.
type Record struct {
	state.Record
	Zone     string   // that holds the name
	Replaces []string // the values that have to go when this one comes
}

// replaced returns the records whose place this one takes.
func (r Record) replaced() []state.Record {
	var list []state.Record
	for _, value := range r.Replaces {
		old := r.Record
		old.Value = value
		list = append(list, old)
	}
	return list
}

// Document returns what domains need as data.
func Document(list []Domain) jsondoc.DNS {
	d := jsondoc.DNS{}
	for _, one := range list {
		records := []jsondoc.Record{}
		for _, r := range one.Records {
			record := jsondoc.RecordOf(r.Record)
			record.Zone, record.Replaces = r.Zone, r.Replaces
			records = append(records, record)
		}
		d.Domains = append(d.Domains, jsondoc.Domain{Domain: one.Domain, Records: records, Notes: jsondoc.Notes(one.Notes)})
	}
	return d
}

// Domains returns what the domains need, without the zones of the records.
func Domains(in step.Input, domains []spec.Domain) []Domain {
	list := make([]Domain, 0, len(domains))
	for _, d := range domains {
		published, notes := dns.RecordsToPrint(in, d)
		one := Domain{Domain: d.Name, Notes: notes}
		for _, p := range published {
			one.Records = append(one.Records, Record{Record: p.Record, Replaces: p.Replaces})
		}
		list = append(list, one)
	}
	return list
}

// maxLookups is how many zones are looked for at a time. The client bounds the questions.
const maxLookups = 256

// FindZones fills in which zone holds each name: one of this machine's name server,
// or else the one that lookup finds in DNS. What is below a domain is taken to be in
// the domain's zone. Lookup is nil where DNS is not to be asked.
func FindZones(ctx context.Context, list []Domain, own state.Zones, lookup func(ctx context.Context, name string) (string, error)) {
	domains, names := map[string]string{}, []string{}
	for _, d := range list {
		for _, r := range d.Records {
			name := topmost(r.Name, d.Domain)
			if _, known := domains[name]; !known {
				names = append(names, name)
			}
			domains[name] = d.Domain
		}
	}
	zones := make(map[string]string, len(names))
	var mu sync.Mutex
	_ = parallel.Do(len(names), maxLookups, func(i int) error {
		zone := zoneOf(ctx, names[i], domains[names[i]], own, lookup)
		mu.Lock()
		defer mu.Unlock()
		zones[names[i]] = zone
		return nil
	})
	for _, d := range list {
		for i, r := range d.Records {
			d.Records[i].Zone = zones[topmost(r.Name, d.Domain)]
		}
	}
}

// topmost returns the domain for a name below it, or else the name.
func topmost(name, domain string) string {
	if strings.HasSuffix(name, "."+domain+".") {
		return domain + "."
	}
	return name
}

// zoneOf returns the zone that holds a name. Where nobody knows, the domain is taken
// for a zone, and a name outside of it for one in the zone of its parent.
func zoneOf(ctx context.Context, name, domain string, own state.Zones, lookup func(ctx context.Context, name string) (string, error)) string {
	best := ""
	for z := range own.Holding(name) {
		best = z.Origin
		break
	}
	if best == "" && lookup != nil {
		best, _ = lookup(ctx, name)
	}
	switch {
	case best != "":
		return best
	case name == domain+".":
		return name
	}
	_, parent, _ := strings.Cut(name, ".")
	if strings.Count(parent, ".") < 2 { // the parent is a top-level domain
		return name
	}
	return parent
}

// updateServer returns where updates of a zone go, in nsupdate's words; "" where its
// SOA record says so.
func updateServer(in step.Input, d spec.Domain, zone string) string {
	if in.Spec.DNSOf(d) == spec.DNSUpdate {
		server := in.Spec.UpdateOf(d).Server
		host, port, ok := strings.Cut(server, ":")
		if !ok || strings.Contains(port, ":") { // without a port, or IPv6
			return strings.NewReplacer("[", "", "]:", " ").Replace(server)
		}
		return host + " " + port
	}
	if slices.ContainsFunc(in.Facts.Zones.Named(zone), func(z state.Zone) bool { return z.Kind == "primary" }) {
		return "127.0.0.1"
	}
	return ""
}
