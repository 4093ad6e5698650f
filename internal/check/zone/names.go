package zone

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"

	"github.com/miekg/dns"
)

// published returns the selectors whose records should be in DNS.
func published(d subject.Domain) []string {
	var list []string
	for _, key := range d.Keys {
		if slices.Contains([]keyring.Stage{keyring.Published, keyring.Active, keyring.Draining}, key.Stage) {
			list = append(list, key.Selector)
		}
	}
	for _, other := range d.Selectors {
		if strings.EqualFold(other.Domain, d.Name) {
			list = append(list, other.Name)
		}
	}
	return list
}

// aliases checks the names of the domain that are aliases: resolvers follow those, and
// some have nothing at their end.
func (k *Checker) aliases(ctx context.Context, d subject.Domain) []finding.Finding {
	looks := []question{{d.Name, dns.TypeMX}, {dnsname.Policy(d.Name), dns.TypeTXT}}
	for _, s := range published(d) {
		looks = append(looks, question{dnsname.Key(s, d.Name), dns.TypeTXT})
	}
	var list []finding.Finding
	type answer struct {
		records []state.Record
		status  dnsclient.Status
	}
	answers := make([]answer, len(looks))
	var wg sync.WaitGroup
	for i, q := range looks {
		wg.Go(func() {
			answers[i].records, answers[i].status, _ = k.dns.Lookup(ctx, dns.Fqdn(q.name), dns.TypeToString[q.t])
		})
	}
	wg.Wait()
	for i, q := range looks {
		records, status := answers[i].records, answers[i].status
		if status == dnsclient.Unknown || len(records) == 0 || records[0].Type != "CNAME" {
			continue
		}
		f := finding.Finding{ID: "dns.cname", Severity: finding.OK, Domain: d.Name, Subject: q.name, Seen: "an alias of " + chain(records)}
		switch {
		case q.name == d.Name && isDelegated(ctx, k.dns, d.Name):
			f.Severity, f.Expected = finding.Problem, "the records themselves: beside the SOA and NS of a zone no CNAME may be"
			f.Remedy = finding.Text("replace the CNAME of " + d.Name + " by the A, AAAA and MX records of its target")
		case q.name == d.Name:
			f.Severity, f.Expected = finding.Warning, "a name of its own: some servers rewrite addresses at an alias to its target, which breaks signatures"
			f.Remedy = finding.Text("replace the CNAME of " + d.Name + " by the A, AAAA, MX and TXT records of its target")
		case len(records) > 0 && loops(records):
			f.Severity, f.Seen = finding.Problem, f.Seen+": the aliases lead in a circle"
			f.Expected, f.Remedy = "records at its end", finding.Text("take one of these CNAME records out")
		case status != dnsclient.Found:
			f.Severity, f.Seen = finding.Problem, f.Seen+", where there is nothing ("+status.String()+")"
			f.Expected, f.Remedy = "a record there", finding.Text("publish the record at the end of the alias, or in place of the CNAME of "+q.name)
		}
		list = append(list, f)
	}
	return list
}

// isDelegated reports whether a name is the origin of a zone, at which no CNAME may be.
func isDelegated(ctx context.Context, c *dnsclient.Client, name string) bool {
	servers, _, _ := c.Delegation(ctx, name)
	return len(servers) > 0
}

// chain writes out where aliases lead.
func chain(records []state.Record) string {
	var list []string
	for _, rr := range records {
		if rr.Type == "CNAME" && len(list) < maxRecords {
			list = append(list, dnsname.TrimDot(rr.Value))
		}
	}
	return finding.Excerpt(strings.Join(list, ", that of "))
}

func loops(records []state.Record) bool {
	last := records[len(records)-1]
	return last.Type == "CNAME" && slices.ContainsFunc(records, func(r state.Record) bool { return r.Name == last.Value })
}

// wildcards asks for names that nobody has: what is answered there is said of every name.
func (k *Checker) wildcards(ctx context.Context, d subject.Domain, a authority) []finding.Finding {
	f := finding.Finding{ID: "dns.wildcard", Severity: finding.OK, Domain: d.Name, Subject: "*." + d.Name, Seen: "none"}
	name := dnsclient.UnusedName(dns.Fqdn(d.Name))
	records, absent := k.recordsAt(ctx, a, name, dns.TypeTXT)
	if !absent && len(records) == 0 { // the name is there, or the server says so of all
		records, _ = k.recordsAt(ctx, a, name, dns.TypeMX)
	}
	if len(records) > 0 {
		last := records[len(records)-1]
		f.Severity = finding.Note
		f.Seen = "every name below the domain answers " + last.Type + " " + finding.Excerpt(last.Value)
		f.Expected = "nothing, or what is meant for all names: records of mail that are missing seem to be there"
	}
	return []finding.Finding{f}
}

// wildcardKeys asks for the key of a selector that nobody has.
func (k *Checker) wildcardKeys(ctx context.Context, d subject.Domain, a authority) (list []finding.Finding) {
	if len(published(d)) == 0 {
		return nil
	}
	records, _ := k.recordsAt(ctx, a, dnsclient.UnusedName("_domainkey."+dns.Fqdn(d.Name)), dns.TypeTXT)
	if i := slices.IndexFunc(records, isKey); i >= 0 {
		list = append(list, finding.Finding{
			ID: "dns.wildcard", Severity: finding.Warning, Domain: d.Name, Subject: "*._domainkey." + d.Name,
			Seen: "every selector has the key " + finding.Excerpt(records[i].Value), Expected: "no wildcard there: a key that was taken out of DNS still verifies, and a missing one seems to be there",
			Remedy: finding.Text("take the record *._domainkey." + d.Name + " out of the zone"),
		})
	}
	return list
}

// recordsAt asks the first server in charge. Absent: there is no such name, or no answer.
func (k *Checker) recordsAt(ctx context.Context, a authority, name string, t uint16) (records []state.Record, absent bool) {
	m, wrong := k.dns.Ask(ctx, a.inCharge()[0].NameServer, a.zone, name, t)
	if !wrong.OK() || m.Rcode == dns.RcodeNameError {
		return nil, true
	}
	return dnsclient.AnswerChain(m, name, t), false
}

// isKey reports whether a record is a DKIM key that is not revoked.
func isKey(rr state.Record) bool {
	if rr.Type != "TXT" {
		return false
	}
	for tag := range strings.SplitSeq(rr.Value, ";") {
		if name, value, _ := strings.Cut(tag, "="); strings.TrimSpace(name) == "p" {
			return strings.TrimSpace(value) != ""
		}
	}
	return false
}

// emptyNonTerminal checks that name servers know names that only have names below them:
// receivers that ask for those first, and resolvers that remember NXDOMAIN (RFC 8020),
// find no key behind them.
func (k *Checker) emptyNonTerminal(ctx context.Context, d subject.Domain, a authority) []finding.Finding {
	selectors := published(d)
	if len(selectors) == 0 {
		return nil
	}
	above, key := "_domainkey."+dns.Fqdn(d.Name), dnsname.Key(selectors[0], dns.Fqdn(d.Name))
	var list []finding.Finding
	for _, s := range a.inCharge() {
		m, wrong := k.dns.Ask(ctx, s.NameServer, a.zone, above, dns.TypeTXT)
		if !wrong.OK() || m.Rcode != dns.RcodeNameError {
			continue
		}
		if below, wrong := k.dns.Ask(ctx, s.NameServer, a.zone, key, dns.TypeTXT); wrong.OK() && len(below.Answer) > 0 {
			list = append(list, finding.Finding{
				ID: "dns.nxdomain-tree", Severity: finding.Warning, Domain: d.Name, Subject: s.String(),
				Seen:     "it answers NXDOMAIN for " + dnsname.TrimDot(above) + ", although it has names below that",
				Expected: "NOERROR without records (RFC 8020 section 2)",
				Remedy:   finding.Text("update the software of this name server, or publish a TXT record at " + dnsname.TrimDot(above)),
			})
		}
	}
	if len(list) == 0 {
		list = []finding.Finding{{ID: "dns.nxdomain-tree", Severity: finding.OK, Domain: d.Name, Subject: dnsname.TrimDot(above), Seen: "known to its name servers"}}
	}
	return list
}

// size checks that answers which do not fit into UDP can be had over TCP.
func (k *Checker) size(ctx context.Context, d subject.Domain, a authority) []finding.Finding {
	var list []finding.Finding
	for _, s := range a.inCharge() {
		f := finding.Finding{ID: "dns.size", Severity: finding.OK, Domain: d.Name, Subject: s.String(), Seen: "it answers over TCP"}
		err := get(&k.mu, k.tcp, s.Address, func() error { return overTCP(ctx, k.dns, s, a.zone) })
		if err == nil {
			list = append(list, f)
			continue
		}
		f.Severity, f.Expected = finding.Note, "answers over TCP as well as UDP (RFC 7766)"
		f.Seen = "it does not answer over TCP: " + finding.Excerpt(err.Error())
		f.Remedy = finding.Text("open port 53 for TCP at " + s.Name)
		if truncated(ctx, k.dns, s, d.Name) {
			f.Severity = finding.Problem
			f.Seen += fmt.Sprintf("; the TXT records of %s do not fit into UDP, so nobody gets them from it", d.Name)
		}
		if ctx.Err() != nil {
			f.Severity = finding.Unknown
		}
		list = append(list, f)
	}
	return list
}

func overTCP(ctx context.Context, c *dnsclient.Client, s server, zone string) error {
	var err error
	for range 2 {
		if _, err = c.ExchangeTCP(ctx, s.Address, dnsclient.Query(zone, dns.TypeSOA, false)); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// truncated reports whether a server cuts the TXT records of a name over UDP. What the
// client does then, over TCP, fails.
func truncated(ctx context.Context, c *dnsclient.Client, s server, name string) bool {
	m, err := c.ExchangeUDP(ctx, s.Address, dnsclient.Query(name, dns.TypeTXT, false))
	return err == nil && m.Truncated
}
