package propose

import (
	"cmp"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/steps/records"
)

// Fill completes answers from the machine and from DNS, where neither a person nor the
// spec of earlier runs gives one.
func (b *Basis) Fill(a spec.Answers) spec.Answers {
	a.SlotZone = cmp.Or(a.SlotZone, b.slotZone(a))
	if b.Spec.Has(a.Domain) {
		return a
	}
	p := b.Proposals(a)
	if b.Spec == nil {
		a.Hostname = cmp.Or(a.Hostname, p.Hostname.Value)
		a.DNS = cmp.Or(a.DNS, p.DNS.Value)
		a.MTA = cmp.Or(a.MTA, p.MTA.Value)
		if len(a.Addresses) == 0 {
			a.Addresses = strings.Fields(p.Addresses.Value)
		}
	}
	a.Receive = cmp.Or(a.Receive, p.Receive.Value)
	if domain, err := syntax.DomainName(a.Domain); err == nil {
		given := len(a.SPFInclude)
		a, _ = FromRecords(a, b.Facts, domain)
		if given == 0 && len(a.SPFInclude) > 0 { // who sends for every domain sends for one that has others, too
			a.SPFInclude = appendMissing(a.SPFInclude, b.defaults().SPF.Include)
		}
	}
	return a
}

// slotZone returns the zone for slots where they are wanted and there is none yet: a name below
// the first zone of the BIND here, that of the host's name before others. It is "" for no zone.
func (b *Basis) slotZone(a spec.Answers) string {
	mode, _ := spec.DNS(a.DNS)
	if b.Spec != nil {
		mode = cmp.Or(mode, b.Spec.Host.DNS)
		a.Hostname = cmp.Or(a.Hostname, b.Spec.Host.Hostname)
		if b.Spec.Host.Slots.Zone != "" {
			return ""
		}
	}
	if mode != spec.DNSSlots {
		return ""
	}
	first := ""
	for _, z := range slices.Concat(b.Facts.Zones, b.Facts.Updated) {
		switch name := dnsname.TrimDot(z.Origin); {
		case z.Problem != "" || z.Kind != "primary" || !strings.Contains(name, ".") || dnsname.Within(z.Origin, "arpa."): // those of every BIND
		case dnsname.Within(a.Hostname+".", z.Origin):
			return "dkim." + name
		case first == "":
			first = "dkim." + name
		}
	}
	return first
}

// fromSpec adds what the spec says of the host to the flags: a second domain on the
// same server needs no questions about the server.
func fromSpec(a spec.Answers, old *spec.Spec) spec.Answers {
	if old == nil {
		return a
	}
	h := old.Host
	a.Hostname = cmp.Or(a.Hostname, h.Hostname)
	a.DNS = cmp.Or(a.DNS, string(h.DNS))
	a.RootAlias = cmp.Or(a.RootAlias, h.RootAlias)
	a.MTA = cmp.Or(a.MTA, h.MTA)
	a.MilterDefaultAction = cmp.Or(a.MilterDefaultAction, h.MilterDefaultAction)
	if len(a.Addresses) == 0 {
		for _, addr := range h.Addresses {
			a.Addresses = append(a.Addresses, addr.String())
		}
	}
	return a
}

// missing returns the error for required flags that nobody gave, and says why the
// machine and DNS do not answer them.
func (b *Basis) missing(flags []string, host string) error {
	hints := []string{"run mailsetup init in a terminal to be asked instead"}
	for _, flag := range flags {
		if why := records.ExplainMissing(flag, host, b.Facts); why != "" && b.Root == "" {
			hints = append(hints, why)
		}
	}
	return hint.NewUsage(strings.Join(hints, "\n"), "needed without a terminal and not given: %s", strings.Join(flags, ", "))
}

// adoptedAnswers returns the answers about each domain of the set-up that is taken
// over. This server receives for a domain only if its MX says so.
func (b *Basis) adoptedAnswers(want spec.Spec) []spec.Answers {
	var addresses []string
	for _, a := range want.Host.Addresses {
		addresses = append(addresses, a.String())
	}
	var list []spec.Answers
	for _, d := range b.Adopted.Domains {
		a := spec.Answers{Domain: d.Name, Selector: d.Selector, Receive: "no", DNS: string(spec.DNSManual)}
		if b.hasMX(d.Name) {
			a.Receive = b.receive(d.Name, want.Host.Hostname, addresses).Value
		}
		if b.Facts.Serves(d.Name) {
			a.DNS = string(spec.DNSBind)
		}
		a, _ = FromRecords(a, b.Facts, d.Name)
		list = append(list, a)
	}
	return list
}

// publicationMode returns how the records of a new domain get published: as those of
// the host, unless its BIND does not have the domain.
func (b *Basis) publicationMode(a spec.Answers, domain string) string {
	if a.DNS != "" || b.Spec.Host.DNS != spec.DNSBind || a.NewZone == "yes" || b.Root != "" || b.Facts.Serves(domain) || b.zoneUnusable(domain) {
		return a.DNS
	}
	return string(spec.DNSManual)
}
