// Package hosts checks the server itself: its name, its addresses as receivers see them,
// its resolver and its clock.
package hosts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"

	"github.com/miekg/dns"
)

// helo is a name that Postfix says in EHLO.
type helo struct {
	name      string
	service   string // of master.cf that says it, "" for all others
	parameter string // that sets it
}

// sends reports whether mail leaves this server at all.
func sends(s subject.Server) bool {
	if s.Name == "" || s.Facts.Postfix == nil {
		return false
	}
	transport, _, _ := strings.Cut(s.Facts.Postfix.Value["default_transport"], ":")
	return !slices.Contains([]string{"error", "retry", "discard"}, transport)
}

// heloNames returns the names that SMTP clients of Postfix say, that of main.cf first.
func heloNames(s subject.Server) []helo {
	if !sends(s) {
		return nil
	}
	p := s.Facts.Postfix
	set := p.Raw["smtp_helo_name"] != ""
	main := helo{name: canonical(s.Name), parameter: "myhostname"}
	if set {
		main.parameter = "smtp_helo_name"
	}
	list := []helo{main}
	for _, service := range p.Services {
		if service.Command != "smtp" {
			continue
		}
		option, ok := service.Option("smtp_helo_name")
		if !ok && !set {
			option, ok = service.Option("myhostname")
		}
		if name := canonical(option.Expanded); ok && name != "" && name != main.name {
			list = append(list, helo{name: name, service: service.Name, parameter: option.Name})
		}
	}
	return list
}

func canonical(name string) string { return strings.ToLower(dnsname.TrimDot(strings.TrimSpace(name))) }

// heloOf returns the name that goes with an address: that of the service which binds to
// it, or else that of main.cf.
func heloOf(e subject.Egress, names []helo) helo {
	for _, h := range names {
		if h.service != "" && strings.HasSuffix(e.Origin, " "+h.service) {
			return h
		}
	}
	return names[0]
}

// Name checks the name of the server: what it says in EHLO, in DNS and in /etc/hosts.
// Without a client, DNS is not asked.
func Name(ctx context.Context, client *dnsclient.Client, files system.Reader, s subject.Server, domains []subject.Domain) finding.Result {
	var r finding.Result
	for _, h := range heloNames(s) {
		f := fqdn(h, s, domains)
		r.Findings = append(r.Findings, f)
		if f.Severity != finding.Problem && client != nil && s.Smarthost == "" {
			r.Findings = append(r.Findings, forward(ctx, client, h.name, s))
		}
	}
	if s.Name != "" {
		r.Findings = append(r.Findings, loopback(files, s)...)
	}
	return r
}

// privateSuffixes end names that no receiver can look up: reserved ones (RFC 6761, 6762,
// 8375, ICANN's .internal), and those that so many use privately that nobody is given them.
func privateSuffixes() []string {
	return []string{"localhost", "localdomain", "local", "lan", "internal", "home.arpa", "invalid", "home", "corp", "intranet", "private"}
}

func fqdn(h helo, s subject.Server, domains []subject.Domain) finding.Finding {
	f := finding.Finding{ID: "host.fqdn", Severity: finding.OK, Subject: h.name, Seen: h.parameter + " of main.cf"}
	if h.service != "" {
		f.Seen = h.parameter + " of " + h.service + " in master.cf"
	}
	should := s.Spec.Host.Hostname
	if should == "" {
		should = "mail.example.org"
		if len(domains) > 0 {
			should = "mail." + domains[0].Name
		}
	}
	if wrong := notPublic(h.name); wrong != "" {
		f.Severity, f.Seen, f.Expected = finding.Problem, f.Seen+": "+wrong, "the full name of this server in DNS, such as "+should
		if !s.SetUp {
			f.Remedy = finding.Text("with this server's own name in the place of " + should + ":")
		}
		if h.service != "" {
			f.Remedy = f.Remedy.Command("postconf -P %s && systemctl reload postfix", h.service+"/"+h.parameter+"="+should)
		} else {
			f.Remedy = f.Remedy.Command("postconf -e %s && systemctl reload postfix", "smtp_helo_name = "+should)
		}
		return f
	}
	switch {
	case slices.ContainsFunc(domains, func(d subject.Domain) bool { return d.Name == h.name }):
		f.Severity, f.Seen = finding.Note, f.Seen+": it is also a mail domain"
		f.Expected = "a name of the server's own, such as mail." + h.name + ", is taken for less generic by some filters"
	case s.SetUp && h.service == "" && h.name != should:
		f.Severity, f.Seen, f.Expected = finding.Note, f.Seen+"; host.toml has "+should, should
	}
	return f
}

// notPublic says why a name cannot be that of a host on the Internet, "" if it can.
func notPublic(name string) string {
	if _, err := netip.ParseAddr(strings.Trim(strings.TrimPrefix(name, "[IPv6:"), "[]")); err == nil {
		return "that is an address and no name"
	}
	if name == "localhost" || !strings.Contains(name, ".") {
		return "that is no full name (FQDN)"
	}
	for _, p := range privateSuffixes() {
		if strings.HasSuffix(name, "."+p) {
			return "names that end in ." + p + " mean nothing outside"
		}
	}
	if _, ok := dns.IsDomainName(name); !ok || strings.ContainsAny(name, " \t\n()<>@\\\"$/") {
		return "that is no host name"
	}
	return ""
}

// worldAddresses returns the addresses of a name as the world sees them. If the resolver
// has only private ones, it may have a view of its own, and authoritative servers decide.
func worldAddresses(ctx context.Context, c *dnsclient.Client, name string) (list []netip.Addr, alias string, err error) {
	list, alias, err = addresses(ctx, name, c.Lookup)
	if err == nil && len(list) > 0 && !slices.ContainsFunc(list, subject.Public) {
		if outside, _, wrong := addresses(ctx, name, c.LookupAuthoritative); wrong == nil && len(outside) > 0 {
			list = outside
		}
	}
	return list, alias, err
}

// maxAddresses is how many addresses of one name are looked at.
const maxAddresses = 64

type lookup func(ctx context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error)

// addresses looks a name up. The error says that one of the two look-ups failed and the
// other found nothing, or nothing of its family.
func addresses(ctx context.Context, name string, look lookup) (list []netip.Addr, alias string, err error) {
	var errs [2]error
	var found [2][]state.Record
	var wg sync.WaitGroup
	for i, t := range []string{"A", "AAAA"} {
		wg.Go(func() { found[i], _, errs[i] = look(ctx, name, t) })
	}
	wg.Wait()
	for i := range found {
		for _, rr := range found[i] {
			if rr.Type == "CNAME" {
				alias = dnsname.TrimDot(rr.Value)
			} else if a, wrong := netip.ParseAddr(rr.Value); wrong == nil && len(list) < maxAddresses {
				list = append(list, a)
			}
		}
		if errs[i] != nil {
			err = errs[i]
		}
	}
	return list, alias, err
}

func forward(ctx context.Context, c *dnsclient.Client, name string, s subject.Server) finding.Finding {
	f := finding.Finding{ID: "host.forward", Severity: finding.OK, Subject: name}
	list, alias, err := worldAddresses(ctx, c, name)
	ours := s.PublicEgress()
	var records []string
	for _, e := range ours {
		records = append(records, dnsname.Absolute(name)+" IN "+addressType(e.Address)+" "+e.Address.String())
	}
	if len(list) == 0 && err != nil {
		return unanswered(f, err)
	}
	f.Seen = joined(list)
	if len(list) == 0 {
		f.Severity, f.Seen = finding.Problem, "it has no address in DNS"
		f.Expected, f.Remedy = "the addresses from which mail leaves", publish(records)
		return f
	}
	if len(ours) == 0 {
		f.Severity, f.Seen = finding.Note, f.Seen+"; from which address mail leaves is not known, so it is not compared"
		return f
	}
	strange := slices.DeleteFunc(slices.Clone(list), s.Has)
	if len(strange) > 0 {
		f.Severity, f.Seen = finding.Warning, f.Seen+"; not of this server: "+joined(strange)
		f.Expected, f.Remedy = joined(egressAddresses(ours)), publish(records)
		if len(strange) == len(list) {
			f.CausedBy = "addr.fcrdns" // the PTR leads to this name, and that elsewhere
		}
		return f
	}
	if alias != "" {
		f.Severity, f.Seen = finding.Note, f.Seen+"; the name is an alias (CNAME) of "+finding.Excerpt(alias)
		f.Expected = "a name with addresses of its own (RFC 5321 section 2.3.5)"
	}
	return f
}

// publish is the remedy that names records.
func publish(records []string) finding.Remedy {
	if len(records) == 0 {
		return finding.Text("publish its address in DNS: an A or AAAA record")
	}
	return finding.Text("publish in DNS:").Records(records...)
}

func addressType(a netip.Addr) string {
	if a.Is4() {
		return "A"
	}
	return "AAAA"
}

func egressAddresses(list []subject.Egress) []netip.Addr {
	out := make([]netip.Addr, 0, len(list))
	for _, e := range list {
		out = append(out, e.Address)
	}
	return out
}

// joined writes addresses out.
func joined(list []netip.Addr) string {
	names := make([]string, 0, len(list))
	for _, a := range list {
		names = append(names, a.String())
	}
	slices.Sort(names)
	return text.List(slices.Compact(names), 6)
}

// unanswered makes a finding unknown since a resolver could not be asked. If it does not
// answer at all, its own finding says so.
func unanswered(f finding.Finding, err error) finding.Finding {
	f.Severity, f.Seen = finding.Unknown, finding.Excerpt(err.Error())
	if !dnsclient.ServerFailed(err) {
		f.CausedBy = "net.resolver"
	}
	return f
}

func loopback(files system.Reader, s subject.Server) []finding.Finding {
	content, err := source.Text(files, "/etc/hosts")
	name := canonical(s.Name)
	f := finding.Finding{ID: "host.loopback", Severity: finding.OK, Subject: name, Seen: "/etc/hosts does not have it"}
	if err != nil {
		f.Severity, f.Seen = finding.Unknown, finding.Excerpt(err.Error())
		return []finding.Finding{f}
	}
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.ContainsFunc(fields[1:], func(w string) bool { return canonical(w) == name }) {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		f.Seen = fmt.Sprintf("line %d of /etc/hosts: %s", n, finding.Excerpt(strings.Join(fields, " ")))
		switch {
		case a.IsLoopback():
			f.Severity = finding.Note
			f.Expected = "Debian's installer writes it; only programs that do not ask DNS take this server for " + a.String()
		case !s.Has(a):
			f.Severity, f.Expected = finding.Warning, "an address of this server: programs here that connect to its name reach another machine"
			f.Remedy = finding.Command("sed -i %s /etc/hosts", fmt.Sprintf("%ds/^[^[:space:]]*/127.0.1.1/", n))
			return []finding.Finding{f}
		}
	}
	return []finding.Finding{f}
}
