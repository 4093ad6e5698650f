package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/zonefile"
)

// formNames are the forms in which records are printed.
func formNames() []string {
	return []string{"zone", "plain", "json", "dnsmasq", "nsupdate", "unbound", "powerdns"}
}

// domainRecords are what one domain needs in DNS.
type domainRecords struct {
	Domain  string         `json:"domain"`
	Records []dnsRecord    `json:"records"`
	Notes   []state.Note   `json:"notes,omitempty"`
	in      []state.Record // the records alone
}

type dnsRecord struct {
	state.Record
	Zone string `json:"zone"` // that holds the name
	// Replaces are the values that have to go when this one comes.
	Replaces []string `json:"replaces,omitempty"`
}

// printDNS prints the records, and on the other stream what is to be known.
func (s *session) printDNS(ctx context.Context, in steps.Input, domains []spec.Domain, form string) error {
	list := make([]domainRecords, 0, len(domains))
	for _, d := range domains {
		published, notes := steps.Published(in, d)
		r := domainRecords{Domain: d.Name, Notes: notes}
		for _, p := range published {
			r.Records = append(r.Records, dnsRecord{p.Record, "", p.Replaces})
			r.in = append(r.in, p.Record)
		}
		list = append(list, r)
	}
	if !slices.Contains([]string{"zone", "dnsmasq", "unbound"}, form) {
		s.findZones(ctx, list)
	}
	if form == "json" {
		return s.printJSON(list)
	}
	var blocks []block
	for i, r := range list {
		blocks = append(blocks, s.formed(in.Spec, domains[i], r, form)...)
		s.about(r.Notes)
	}
	// nsupdate goes on with the server that was named last.
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(a.server, b.server) })
	for i, b := range blocks {
		if i > 0 && form != "plain" && form != "nsupdate" {
			b.text = append([]byte("\n"), b.text...)
		}
		if _, err := s.c.out.Write(b.text); err != nil {
			return err
		}
	}
	return nil
}

// block is a part of what is printed.
type block struct {
	server string // of a script: where it goes
	text   []byte
}

// formed are the records of a domain in one form.
func (s *session) formed(sp spec.Spec, d spec.Domain, r domainRecords, form string) []block {
	switch form {
	case "zone":
		return []block{{text: zonefile.Text(d.Name, r.in)}}
	case "dnsmasq":
		return []block{{text: zonefile.Dnsmasq(d.Name, r.in)}}
	case "unbound":
		return []block{{text: zonefile.Unbound(d.Name, d.Name+".", r.in)}}
	}
	zones := map[string]bool{}
	for _, rec := range r.Records {
		zones[rec.Zone] = true
	}
	var blocks []block
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		add, replaced := r.inZone(zone)
		b := block{}
		switch form {
		case "plain":
			b.text = []byte("# zone " + strings.TrimSuffix(zone, ".") + "\n" + zonefile.Plain(add, zone))
		case "nsupdate":
			b.server = s.primary(sp, d, zone)
			b.text = zonefile.Nsupdate(d.Name, zone, b.server, add, replaced)
		case "powerdns":
			b.text = zonefile.PowerDNS(d.Name, zone, add)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// inZone are the records of one zone, and those whose place they take.
func (r domainRecords) inZone(zone string) (add, replaced []state.Record) {
	for _, rec := range r.Records {
		if rec.Zone != zone {
			continue
		}
		add = append(add, rec.Record)
		for _, value := range rec.Replaces {
			old := rec.Record
			old.Value = value
			replaced = append(replaced, old)
		}
	}
	return add, replaced
}

// primary is where updates of a zone go, in nsupdate's words; "" where its SOA
// says so.
func (s *session) primary(sp spec.Spec, d spec.Domain, zone string) string {
	if sp.DNSOf(d) == spec.DNSUpdate {
		host, port, ok := strings.Cut(sp.UpdateOf(d).Server, ":")
		if !ok || strings.Contains(port, ":") { // without a port, or IPv6
			return strings.NewReplacer("[", "", "]:", " ").Replace(sp.UpdateOf(d).Server)
		}
		return host + " " + port
	}
	if slices.ContainsFunc(s.facts.Zones, func(z state.Zone) bool { return z.Origin == zone && z.Kind == "primary" }) {
		return "127.0.0.1"
	}
	return ""
}

// findZones fills in which zone holds each name. What is below a domain is taken
// to be in the domain's zone.
func (s *session) findZones(ctx context.Context, list []domainRecords) {
	zones := map[string]string{}
	for _, r := range list {
		for _, rec := range r.Records {
			zones[topmost(rec.Name, r.Domain)] = r.Domain
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	free := make(chan struct{}, 16)
	for name, domain := range maps.Clone(zones) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			zone := s.zoneOf(ctx, name, domain)
			mu.Lock()
			defer mu.Unlock()
			zones[name] = zone
		})
	}
	wg.Wait()
	for _, r := range list {
		for i := range r.Records {
			r.Records[i].Zone = zones[topmost(r.Records[i].Name, r.Domain)]
		}
	}
}

// topmost is the domain for a name below it, else the name.
func topmost(name, domain string) string {
	if strings.HasSuffix(name, "."+domain+".") {
		return domain + "."
	}
	return name
}

// zoneOf is the zone that holds a name: one of this machine's BIND, else the
// one that DNS tells of. Where nobody knows, the domain is taken for a zone,
// and a name outside of it for one in the zone of its parent.
func (s *session) zoneOf(ctx context.Context, name, domain string) string {
	best := ""
	for _, z := range s.facts.Zones {
		if z.Holds(name) && len(z.Origin) > len(best) {
			best = z.Origin
		}
	}
	if best == "" && s.Image == nil {
		best, _ = s.Resolver.ZoneOf(ctx, name)
	}
	switch {
	case best != "":
		return best
	case name == domain+".":
		return name
	}
	return parent(strings.TrimSuffix(name, ".")) + "."
}
