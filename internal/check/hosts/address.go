package hosts

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/text"

	"github.com/miekg/dns"
)

// Addresses checks the addresses from which mail leaves, and their PTR records. Without
// a client, DNS is not asked.
func Addresses(ctx context.Context, c *dnsclient.Client, s subject.Server) finding.Result {
	var r finding.Result
	if !sends(s) {
		return r
	}
	r.Findings = egress(s)
	if c == nil {
		return r
	}
	public := s.PublicEgress()
	parts := make([][]finding.Finding, len(public))
	var wg sync.WaitGroup
	for i, e := range public {
		wg.Go(func() { parts[i] = reverse(ctx, c, s, e) })
	}
	wg.Wait()
	r.Findings = append(r.Findings, slices.Concat(parts...)...)
	return r
}

// egress says from where mail leaves, and whether that was declared.
func egress(s subject.Server) []finding.Finding {
	const id = "addr.egress"
	if s.Smarthost != "" {
		return []finding.Finding{{ID: id, Severity: finding.OK, Subject: s.Smarthost, Seen: "all mail leaves through this relay: receivers see its addresses"}}
	}
	var list []finding.Finding
	for _, e := range s.PublicEgress() {
		f := finding.Finding{ID: id, Severity: finding.OK, Subject: e.Address.String(), Seen: "known from " + e.Origin}
		if s.Undeclared(e.Address) {
			f.Severity, f.Seen = finding.Problem, "mail leaves from this address ("+e.Origin+"), which host.toml does not have"
			if strings.HasPrefix(e.Origin, "smtp_bind_address") { // somebody wanted that
				f.Severity = finding.Warning
			}
			f.Expected, f.Remedy = joined(s.Spec.Host.Addresses), bindOrDeclare(e, s.Spec.Host.Addresses)
			f.Why = "Receivers see an address that no SPF record and no PTR was made for."
		}
		list = append(list, f)
	}
	if len(list) == 0 {
		f := finding.Finding{
			ID: id, Severity: finding.Unknown, Seen: "no public address is known",
			Expected: "the addresses that receivers see", Remedy: finding.Command("mailsetup init --ip ADDRESS"),
		}
		if hidden := slices.Concat(s.Egress, s.Hidden); len(hidden) > 0 {
			f.Seen = "mail leaves from " + joined(egressAddresses(hidden)) + ": receivers see the address of a router (NAT)"
		}
		list = append(list, f)
	}
	return list
}

// bindOrDeclare is the remedy for an address that is used and not declared: to bind to a
// declared one of its family, to do without the family, or to declare it.
func bindOrDeclare(e subject.Egress, declared []netip.Addr) finding.Remedy {
	i := slices.IndexFunc(declared, func(d netip.Addr) bool { return d.Is4() == e.Address.Is4() })
	all := []string{e.Address.String()}
	for _, d := range declared {
		all = append(all, d.String())
	}
	declare := finding.Command("mailsetup init --ip %s --ip …", all...)
	or := finding.Text("or declare it:").Then(declare)
	switch {
	case e.Origin != "route":
		return declare
	case i >= 0 && e.Address.Is6():
		return finding.Command("postconf -e %s && systemctl reload postfix", "smtp_bind_address6 = "+declared[i].String()).Then(or)
	case i >= 0:
		return finding.Command("postconf -e %s && systemctl reload postfix", "smtp_bind_address = "+declared[i].String()).Then(or)
	case e.Address.Is6():
		return finding.Command("postconf -e 'inet_protocols = ipv4' && systemctl restart postfix").Then(or)
	}
	return declare
}

// maxPTR is how many PTR records of an address are looked at.
const maxPTR = 10

// ptr is what DNS says of an address.
type ptr struct {
	names     []string // canonical, without final dot
	fromZone  []string // what authoritative servers have
	err       error    // why the resolver has no answer
	zoneErr   error    // why authoritative servers have none
	zone      string   // the reverse zone, "" if that is not known
	confirmed []string // names that lead back to the address
	empty     []string // names without any address
	// unclear says why a name could not be looked up, of those that do not lead back.
	unclear error
}

func names(records []state.Record) []string {
	var list []string
	for _, rr := range records {
		if rr.Type == "PTR" && len(list) < maxPTR {
			list = append(list, canonical(rr.Value))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// lookUpPTR asks the resolver and authoritative servers for the names of an address, and
// these for their addresses.
func lookUpPTR(ctx context.Context, c *dnsclient.Client, a netip.Addr) ptr {
	var p ptr
	rev, err := dns.ReverseAddr(a.String())
	if err != nil {
		p.err, p.zoneErr = err, err
		return p
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		records, _, err := c.Lookup(ctx, rev, "PTR")
		p.names, p.err = names(records), err
	})
	wg.Go(func() {
		p.zone, _ = c.ZoneOf(ctx, rev)
		records, _, err := c.LookupAuthoritative(ctx, rev, "PTR")
		p.fromZone, p.zoneErr = names(records), err
	})
	wg.Wait()
	for _, n := range p.known() {
		list, _, err := worldAddresses(ctx, c, n)
		switch {
		case slices.Contains(list, a):
			p.confirmed = append(p.confirmed, n)
		case err != nil:
			p.unclear = err
		case len(list) == 0:
			p.empty = append(p.empty, n)
		}
	}
	return p
}

// known returns the names that the world sees.
func (p ptr) known() []string {
	if p.zoneErr == nil {
		return p.fromZone
	}
	return p.names
}

// reverse checks the PTR records of an address.
func reverse(ctx context.Context, c *dnsclient.Client, s subject.Server, e subject.Egress) []finding.Finding {
	p := lookUpPTR(ctx, c, e.Address)
	name := heloOf(e, heloNames(s)).name
	there := exists(p, s, e.Address, name)
	list := []finding.Finding{there, ptrSource(p, e.Address)}
	if known := p.known(); len(known) > 0 {
		list = append(list, confirmed(p, e.Address, name), likeHELO(p, e.Address, name))
	}
	for i, f := range list {
		if f.Severity != finding.OK && s.Undeclared(e.Address) {
			list[i].CausedBy = "addr.egress"
		}
	}
	return list
}

// exists is about the presence of a PTR record.
func exists(p ptr, s subject.Server, a netip.Addr, name string) finding.Finding {
	f := finding.Finding{ID: "addr.ptr", Severity: finding.OK, Subject: a.String(), Seen: finding.Excerpt(text.List(p.known(), 4))}
	switch {
	case len(p.known()) > 0:
	case p.zoneErr != nil && p.err != nil:
		return unanswered(f, p.err)
	default:
		rev, _ := dns.ReverseAddr(a.String())
		f.Severity, f.Seen, f.Expected = finding.Problem, "it has none", name
		f.Remedy = finding.Text("have the owner of the address (its hosting provider: panel, \"reverse DNS\") set the PTR of " + a.String() + " to " + name)
		if local := slices.ContainsFunc(s.Facts.Zones, func(z state.Zone) bool { return z.Kind == "primary" && z.Contains(rev) }); local {
			f.Remedy = finding.Text("add to the reverse zone on this server:").Record(rev + " IN PTR " + dnsname.Absolute(name))
		}
	}
	return f
}

// ptrSource compares the resolver with the servers of the reverse zone.
func ptrSource(p ptr, a netip.Addr) finding.Finding {
	f := finding.Finding{ID: "addr.ptr-source", Severity: finding.OK, Subject: a.String(), Seen: "the name servers of " + dnsname.TrimDot(p.zone) + " and the resolver agree"}
	switch {
	case p.zoneErr != nil:
		f = unanswered(f, p.zoneErr)
	case p.err != nil:
		f = unanswered(f, p.err)
	case !slices.Equal(p.names, p.fromZone):
		f.Severity, f.Seen = finding.Warning, "the resolver of this server says "+said(p.names)+", the name servers of "+dnsname.TrimDot(p.zone)+" say "+said(p.fromZone)
		f.Expected = "the same from both"
		f.Remedy = finding.Text("wait until the TTL of an old answer is over; if it stays, look for " + a.String() + " in what the resolver adds by itself (/etc/hosts with dnsmasq, local-data of unbound, a zone of its own)")
	}
	return f
}

func said(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return finding.Excerpt(text.List(names, 3))
}

// confirmed is about PTR names that lead back to the address (RFC 8601 section 3, iprev).
func confirmed(p ptr, a netip.Addr, name string) finding.Finding {
	f := finding.Finding{ID: "addr.fcrdns", Severity: finding.OK, Subject: a.String(), Seen: finding.Excerpt(text.List(p.confirmed, 4))}
	known := p.known()
	switch {
	case len(p.confirmed) > 0:
	case p.unclear != nil:
		return unanswered(f, p.unclear)
	default:
		f.Severity, f.Seen, f.Expected = finding.Problem, said(known)+" does not have this address", "a name that has the address "+a.String()
		f.Remedy = publish([]string{dnsname.Absolute(name) + " IN " + addressType(a) + " " + a.String()})
		if slices.Contains(p.empty, name) {
			f.CausedBy = "host.forward"
		}
		if !slices.Contains(known, name) {
			f.Remedy = finding.Text("have the owner of the address (its hosting provider) set the PTR of " + a.String() + " to " + name)
		}
	}
	return f
}

// likeHELO compares the PTR names with the name that Postfix says.
func likeHELO(p ptr, a netip.Addr, name string) finding.Finding {
	f := finding.Finding{ID: "addr.helo", Severity: finding.OK, Subject: a.String(), Seen: name}
	if slices.Contains(p.known(), name) {
		return f
	}
	f.Severity, f.Seen, f.Expected = finding.Warning, "PTR "+said(p.known())+", HELO "+finding.Excerpt(name), "the same name"
	f.Remedy = finding.Text("have the owner of the address (its hosting provider) set the PTR of " + a.String() + " to " + name)
	if len(p.confirmed) == 0 {
		f.CausedBy = "addr.fcrdns"
	}
	if notPublic(name) != "" {
		f.CausedBy = "host.fqdn"
	}
	return f
}
