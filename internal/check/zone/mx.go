package zone

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/postfix"

	"github.com/miekg/dns"
)

// mxRecord is one MX record.
type mxRecord struct {
	preference int
	target     string // without final dot; "" for none (RFC 7505)
}

// maxMX is how many MX records of a domain are looked at.
const maxMX = 20

func mxOf(records []state.Record) []mxRecord {
	var list []mxRecord
	for _, rr := range records {
		preference, target, ok := strings.Cut(rr.Value, " ")
		if n, err := strconv.Atoi(preference); rr.Type == "MX" && ok && err == nil && len(list) < maxMX {
			list = append(list, mxRecord{n, dnsname.TrimDot(target)})
		}
	}
	slices.SortFunc(list, func(a, b mxRecord) int {
		if a.preference != b.preference {
			return a.preference - b.preference
		}
		return strings.Compare(a.target, b.target)
	})
	return list
}

// targets returns the hosts, each once.
func targets(list []mxRecord) []string {
	var out []string
	for _, m := range list {
		if !slices.Contains(out, m.target) && m.target != "" {
			out = append(out, m.target)
		}
	}
	return out
}

func wanted(d subject.Domain, s subject.Server) string {
	name := "mail." + d.Name
	if s.Name != "" {
		name = strings.ToLower(dnsname.TrimDot(s.Name))
	}
	if s.SetUp && s.Spec.Host.Hostname != "" {
		name = s.Spec.Host.Hostname
	}
	return dnsname.Absolute(d.Name) + " IN MX 10 " + dnsname.Absolute(name)
}

// mx checks where mail for a domain is sent to.
func (k *Checker) mx(ctx context.Context, s subject.Server, d subject.Domain) finding.Result {
	records, status, err := k.dns.Lookup(ctx, dns.Fqdn(d.Name), "MX")
	f := finding.Finding{ID: "mx.exists", Severity: finding.OK, Domain: d.Name, Subject: d.Name}
	if err != nil {
		return result(unanswered(f, err))
	}
	list := mxOf(records)
	if len(list) == 0 {
		f = k.withoutMX(ctx, s, d, f, status)
		if f.Severity == finding.Note && s.Refuses(d) { // its own address leads here
			return result(f, refused(s, d))
		}
		return result(f)
	}
	hosts := targets(list)
	if len(hosts) == 0 {
		f.Seen = "null MX: it takes no mail (RFC 7505)"
		if d.Receives {
			f.Severity, f.Expected = finding.Problem, "an MX, since this server takes mail for the domain"
			f.Remedy = finding.Text("publish in DNS, in place of the null MX:").Record(wanted(d, s))
		}
		return result(f)
	}
	f.Seen = finding.Excerpt(written(list))
	r := result(f)
	r.Findings = append(r.Findings, form(d, list)...)
	ours, v6, complete := false, false, true
	for _, host := range hosts {
		if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
			continue // mx.form says so
		}
		found, addresses, alias := k.target(ctx, s, d, host, len(hosts))
		r.Findings = append(r.Findings, found)
		if alias != "" {
			r.Findings = append(r.Findings, finding.Finding{
				ID: "mx.form", Severity: finding.Problem, Domain: d.Name, Subject: host, Seen: "an alias (CNAME) of " + finding.Excerpt(alias),
				Expected: "a name with addresses of its own (RFC 2181 section 10.3): some senders refuse to deliver to an alias", Remedy: finding.Text("name the target of the alias in the MX record, or give " + host + " its addresses in place of the CNAME"),
			})
		}
		complete = complete && found.Severity != finding.Unknown
		ours = ours || slices.ContainsFunc(addresses, s.Has) || strings.EqualFold(host, s.Name)
		v6 = v6 || slices.ContainsFunc(addresses, netip.Addr.Is6)
	}
	if !slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "mx.form" }) {
		r.Findings = append(r.Findings, finding.Finding{ID: "mx.form", Severity: finding.OK, Domain: d.Name, Subject: d.Name, Seen: "names of hosts, each once"})
	}
	if d.Receives && s.Name != "" && (ours || complete) {
		r.Findings = append(r.Findings, leadsHere(s, d, ours, hosts))
	}
	if v6 || complete {
		f := finding.Finding{ID: "mx.v6", Severity: finding.OK, Domain: d.Name, Subject: d.Name, Seen: "an MX has an IPv6 address"}
		if !v6 {
			f.Severity, f.Seen = finding.Note, "no MX has an IPv6 address"
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func result(list ...finding.Finding) finding.Result { return finding.Result{Findings: list} }

// missing returns what is to be done about an MX that is not there, and whether mailsetup
// publishes it itself.
func missing(s subject.Server, d subject.Domain) (remedy finding.Remedy, fixable bool) {
	if d.Wanted != nil && d.Wanted.Receive && !s.Spec.ByHand(*d.Wanted) {
		return finding.Command("mailsetup init --yes"), true
	}
	return publish(wanted(d, s)), false
}

func publish(records ...string) finding.Remedy {
	return finding.Text("publish in DNS:").Records(records...)
}

func written(list []mxRecord) string {
	out := make([]string, 0, len(list))
	for _, m := range list {
		out = append(out, fmt.Sprintf("%d %s", m.preference, m.target))
	}
	return text.List(out, 4)
}

// withoutMX judges a domain without MX records: mail for it goes to its own address, if
// it has one (RFC 5321 section 5.1).
func (k *Checker) withoutMX(ctx context.Context, s subject.Server, d subject.Domain, f finding.Finding, status dnsclient.Status) finding.Finding {
	addresses, _, err := k.addresses(ctx, d.Name)
	switch {
	case len(addresses) > 0 && d.Receives:
		f.Severity, f.Seen = finding.Note, "no MX: mail for it goes to its own address, "+addresses[0].String()
		f.Expected = "an MX record says the same to everybody"
		if !slices.ContainsFunc(addresses, s.Has) && s.Name != "" {
			f.Severity, f.Expected = finding.Problem, "an MX, since this server takes mail for the domain and that address is another one"
			f.Remedy, f.Fixable = missing(s, d)
		}
	case err != nil:
		f = unanswered(f, err)
	case !d.Receives:
		f.Seen = "neither an MX nor an address: it is not received here, and nobody can answer it"
	default:
		f.Severity, f.Seen, f.Expected = finding.Problem, "no MX and no address ("+status.String()+"): nobody can send mail to it", "an MX, since this server takes mail for the domain"
		f.Remedy, f.Fixable = missing(s, d)
		if status == dnsclient.NXDomain {
			f.CausedBy = "dns.delegation"
		}
	}
	return f
}

// form judges the MX records themselves.
func form(d subject.Domain, list []mxRecord) []finding.Finding {
	var out []finding.Finding
	add := func(severity finding.Severity, about, seen, expected, remedy string) {
		out = append(out, finding.Finding{ID: "mx.form", Severity: severity, Domain: d.Name, Subject: about, Seen: seen, Expected: expected, Remedy: finding.Text(remedy)})
	}
	seen := map[string]bool{}
	for _, m := range list {
		_, err := netip.ParseAddr(m.target)
		switch {
		case m.target == "":
			add(finding.Problem, d.Name, "a null MX (\".\") beside others", "it alone, or the others alone (RFC 7505 section 3)", "take the record \""+dnsname.Absolute(d.Name)+" IN MX "+strconv.Itoa(m.preference)+" .\" out of the zone")
		case err == nil:
			add(finding.Problem, m.target, "an address in place of a name", "the name of a host: senders look it up in DNS, and find nothing (RFC 5321 section 5.1)", "give "+m.target+" a name, and name that in the MX record")
		case m.target == "localhost":
			add(finding.Problem, m.target, "every sender's own machine", "the name of the host that takes the mail", "take that MX record out of the zone")
		case seen[m.target]:
			add(finding.Note, m.target, "named by several MX records", "each host once", "")
		}
		seen[m.target] = true
	}
	return out
}

// target judges the addresses of one of several hosts.
func (k *Checker) target(ctx context.Context, s subject.Server, d subject.Domain, host string, hosts int) (f finding.Finding, list []netip.Addr, alias string) {
	f = finding.Finding{ID: "mx.addr", Severity: finding.OK, Domain: d.Name, Subject: host}
	list, alias, err := k.addresses(ctx, host)
	records := make([]string, 0, 2)
	for _, e := range s.Egress {
		if strings.EqualFold(host, s.Name) {
			t := "AAAA"
			if e.Address.Is4() {
				t = "A"
			}
			records = append(records, dnsname.Absolute(host)+" IN "+t+" "+e.Address.String())
		}
	}
	remedy := finding.Text("give " + host + " an A or AAAA record, or name another host in the MX record")
	if len(records) > 0 {
		remedy = publish(records...)
	}
	private := slices.DeleteFunc(slices.Clone(list), subject.Public)
	switch {
	case len(list) == 0 && err != nil:
		f = unanswered(f, err)
	case len(list) == 0:
		f.Severity, f.Seen, f.Expected, f.Remedy = finding.Problem, "it has no address in DNS", "an address that takes the mail", remedy
		if strings.EqualFold(host, s.Name) {
			f.CausedBy = "host.forward"
		}
	case len(private) == len(list) && !slices.ContainsFunc(list, s.Has):
		f.Severity, f.Seen, f.Expected, f.Remedy = finding.Problem, "only private addresses: "+joined(list), "a public address", remedy
	case len(private) == len(list):
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, "the resolver of this server has only private addresses: "+joined(list), "host.forward"
		f.Expected, f.Remedy = "what the world sees", finding.Text("with the address of a resolver outside of this network:").Command("mailsetup check --resolver ADDRESS")
	case len(private) > 0:
		f.Severity, f.Seen, f.Expected, f.Remedy = finding.Warning, "private addresses among them: "+joined(private), "public addresses only", finding.Text("take the records with private addresses out of the public zone")
	default:
		f.Seen = joined(list)
	}
	if hosts > 1 && f.Severity == finding.Problem {
		f.Severity = finding.Warning // senders go on to the next
	}
	return f, list, alias
}

func joined(list []netip.Addr) string {
	names := make([]string, 0, len(list))
	for _, a := range list {
		names = append(names, a.String())
	}
	slices.Sort(names)
	return text.List(slices.Compact(names), 6)
}

// leadsHere judges whether mail for a domain that this server takes mail for comes here.
func leadsHere(s subject.Server, d subject.Domain, ours bool, hosts []string) finding.Finding {
	f := finding.Finding{ID: "mx.ours", Severity: finding.OK, Domain: d.Name, Subject: d.Name, Seen: "an MX leads to this server"}
	if ours && s.Refuses(d) {
		return refused(s, d)
	}
	if ours {
		return f
	}
	f.Severity, f.Seen = finding.Note, "no MX leads to this server: "+finding.Excerpt(text.List(hosts, 4))
	f.Expected = "this server among them, unless those pass the mail on to it"
	if d.Wanted != nil && d.Wanted.Receive {
		f.Severity, f.Remedy = finding.Warning, publish(wanted(d, s))
	}
	return f
}

// maxRefused is how many domains are told at a time to be put into a list of Postfix.
const maxRefused = 5

// takeMail is what makes Postfix take mail for domains that belong to the same list.
func takeMail(f state.Facts, names []string) finding.Remedy {
	if list, fits := postfix.Destinations(f, names); fits {
		return finding.Command("postconf -e %s && systemctl reload postfix", "mydestination = "+list)
	}
	return finding.Text(postfix.TakeMail(f, names))
}

// refused is said where Postfix takes no mail for a domain that DNS leads here. What to
// do names all such domains: who types one command for each would undo the last.
func refused(s subject.Server, d subject.Domain) finding.Finding {
	where, all := postfix.ListFor(s.Facts, d.Name), s.Refused(maxRefused+1)
	remedy := finding.Text("add each of them to " + where)
	if len(all) <= maxRefused {
		remedy = takeMail(s.Facts, slices.DeleteFunc(all, func(n string) bool { return postfix.ListFor(s.Facts, n) != where }))
	}
	return finding.Finding{
		ID: "mx.ours", Severity: finding.Problem, Domain: d.Name, Subject: d.Name,
		Seen:     "Postfix refuses its mail: it is no destination here (Relay access denied)",
		Expected: "Postfix takes the mail that DNS leads here", Source: "postconf(5), mydestination and virtual_mailbox_domains",
		Remedy: remedy,
	}
}
