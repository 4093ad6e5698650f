package reputation

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsbl/prove"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
)

// question is one name that a list is asked for.
type question struct {
	list    dnsbl.List
	entry   string // the name in the list
	of      string // the address or domain
	domain  string // "" for an address
	finding []finding.Finding
	// own reports whether the address is evidently one of a server: see named.
	own func(ctx context.Context) (bool, error)
}

// ofAddresses asks about the addresses from which mail leaves: those of this machine do
// not matter behind a smarthost.
func (c *checker) ofAddresses(ctx context.Context, s subject.Server, domains []subject.Domain) []finding.Finding {
	if s.Smarthost != "" {
		return nil
	}
	var all []finding.Finding
	for _, e := range s.Egress {
		if e.Address.IsPrivate() || e.Address.IsLoopback() || e.Address.IsLinkLocalUnicast() {
			continue // no receiver sees it
		}
		var list []*question
		for i, l := range c.lists {
			if w := c.works[i]; w.IPv4 && e.Address.Is4() || w.IPv6 && e.Address.Is6() {
				list = append(list, &question{list: l, entry: dnsbl.Reversed(e.Address), of: e.Address.String(), own: func(ctx context.Context) (bool, error) {
					return c.named(ctx, e.Address, s, domains)
				}})
			}
		}
		all = append(all, c.answers(ctx, "bl.ip", list)...)
	}
	return all
}

// ofDomains asks about the domains that send. Lists of domains have those under which
// names are sold, so that of each one those above are asked for, too.
func (c *checker) ofDomains(ctx context.Context, domains []subject.Domain, own bool) []finding.Finding {
	if !slices.ContainsFunc(c.works, func(w prove.Abilities) bool { return w.Names }) {
		return nil
	}
	domains = slices.DeleteFunc(slices.Clone(domains), func(d subject.Domain) bool { return !d.Sends })
	var all []finding.Finding
	if rest := len(domains) - maxDomains; rest > 0 && !own {
		domains = domains[:maxDomains]
		all = append(all, finding.Finding{
			ID: "bl.domain", Severity: finding.Note, Subject: fmt.Sprintf("%d domains", rest),
			Seen:   fmt.Sprintf("public lists are asked about %d domains at a time", maxDomains),
			Remedy: finding.Command("mailsetup check --online --only bl DOMAIN..."),
		})
	}
	parts := make([][]finding.Finding, len(domains))
	_ = parallel.Do(len(domains), atATime, func(i int) error {
		var list []*question
		for at := domains[i].Name; strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
			for j, l := range c.lists {
				if c.works[j].Names {
					list = append(list, &question{list: l, entry: at, of: at, domain: domains[i].Name})
				}
			}
		}
		parts[i] = c.answers(ctx, "bl.domain", list)
		return nil
	})
	return slices.Concat(append([][]finding.Finding{all}, parts...)...)
}

// answers puts questions about one address or domain. Without a listing one finding
// says so of all lists that answered.
func (c *checker) answers(ctx context.Context, id string, list []*question) []finding.Finding {
	if len(list) == 0 {
		return nil
	}
	var wg sync.WaitGroup
	for _, q := range list {
		wg.Go(func() { c.answer(ctx, id, q) })
	}
	wg.Wait()
	var all []finding.Finding
	clear := map[string]bool{}
	for _, q := range list {
		if all = append(all, q.finding...); len(q.finding) == 0 {
			clear[q.list.Title] = true
		}
	}
	if !slices.ContainsFunc(all, func(f finding.Finding) bool { return f.ID == id }) && len(clear) > 0 {
		all = append(all, finding.Finding{
			ID: id, Severity: finding.OK, Domain: list[0].domain, Subject: list[0].of, Seen: fmt.Sprintf("on none of %d lists", len(clear)),
		})
	}
	return all
}

// answer puts one question, and judges the answer.
func (c *checker) answer(ctx context.Context, id string, q *question) {
	f := finding.Finding{
		ID: "bl.code", Severity: finding.Unknown, Domain: q.domain, Subject: q.of + " in " + q.list.Shown(), Expected: "no entry",
	}
	addresses, err := c.ask.Addresses(ctx, q.list, q.entry)
	v := q.list.Read(addresses)
	switch {
	case err != nil:
		f.ID, f.Seen = id, finding.Excerpt(err.Error())
	case v.Refused != "":
		f.Seen = q.list.Title + " does not say: " + v.Refused
	case len(v.Codes) == 0 && len(v.Odd) > 0:
		f.Seen = fmt.Sprintf("%s answers %s, of which the meaning is not known", q.list.Title, v.Odd[0])
	case len(v.Codes) == 0:
		return
	default:
		q.listed(c.ask.Reason(ctx, q.list, q.entry), id, v.Codes, f)
		if q.own != nil && !slices.ContainsFunc(v.Codes, func(c dnsbl.Code) bool { return c.Means != dnsbl.OfUsers }) {
			q.weigh(ctx)
		}
		return
	}
	q.finding = append(q.finding, f)
}

// named reports whether the name of an address (PTR) is that of this server, or in one of
// its domains: a line of a home has a name of its provider.
func (c *checker) named(ctx context.Context, a netip.Addr, s subject.Server, domains []subject.Domain) (bool, error) {
	reverse, err := dns.ReverseAddr(a.String())
	if err != nil {
		return false, err
	}
	records, status, err := c.ask.DNS.Lookup(ctx, reverse, "PTR")
	if status == dnsclient.Unknown {
		return false, err
	}
	return slices.ContainsFunc(records, func(r state.Record) bool {
		name := strings.ToLower(dnsname.TrimDot(r.Value))
		return r.Type == "PTR" && (strings.EqualFold(name, s.Name) ||
			slices.ContainsFunc(domains, func(d subject.Domain) bool { return name == d.Name || strings.HasSuffix(name, "."+d.Name) }))
	}), nil
}

// weigh judges the one listing of an address among those of users: where it is that of a
// server, all that is missing is a word to the list.
func (q *question) weigh(ctx context.Context) {
	f := &q.finding[len(q.finding)-1]
	own, err := q.own(ctx)
	switch {
	case err != nil:
		f.Severity, f.Seen = finding.Unknown, f.Seen+"; whether it is one of a home could not be found out, for want of its PTR"
	case own:
		f.ID, f.Severity = "bl.class", finding.Note
		f.Why = "The PBL has whole networks, homes above all, and this address has the name of a server: receivers that refuse by ZEN refuse mail from it until you ask for it to be taken out, which is done at once."
		f.Remedy = finding.Text("have it taken out: " + q.list.Page)
	default:
		f.Why = "Receivers that refuse by ZEN, and they are many, take no mail from addresses of homes."
		f.Remedy = finding.Text("send through a smarthost:").Command("postconf -e 'relayhost = [RELAY]:587' && systemctl reload postfix").
			Text("or, if it is the address of a server, give it a PTR of your own and have it taken out: " + q.list.Page)
	}
}

// listed judges a listing by the reason that matters most.
func (q *question) listed(reason, id string, codes []dnsbl.Code, f finding.Finding) {
	rank := func(c dnsbl.Code) int { return slices.Index(finding.Severities(), severity(c)) }
	worst := slices.MinFunc(codes, func(a, b dnsbl.Code) int { return rank(a) - rank(b) })
	var means []string
	for _, c := range codes {
		if !slices.Contains(means, c.Means) {
			means = append(means, c.Means)
		}
	}
	f.ID, f.Severity, f.Seen = id, severity(worst), q.list.Title+" lists it: "+strings.Join(means, "; ")
	if f.Severity == finding.Note {
		f.ID = "bl.class"
	}
	if reason != "" {
		f.Seen += " (" + reason + ")"
	}
	f.Remedy = finding.Text("end what the list complains of, then ask whoever runs " + q.list.Shown() + " to take it out")
	if q.list.Page != "" {
		f.Remedy = finding.Text("end what the list complains of, then have it taken out: " + q.list.Page)
	}
	q.finding = append(q.finding, f)
}
