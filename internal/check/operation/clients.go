package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// way is how mail programs send by a server.
type way struct {
	label    string // of the SRV record
	port     string
	services []string // of master.cf(5)
}

// submission are the services of master.cf(5) that take mail of users, by the SRV record
// that leads there (RFC 6186 section 3.1, RFC 8314 section 5.1).
var submission = []way{
	{"_submissions._tcp", "465", []string{"submissions/inet", "smtps/inet", "465/inet"}},
	{"_submission._tcp", "587", []string{"submission/inet", "587/inet"}},
}

// offered returns the ways by which users of a domain may send here, those alone.
func offered(s subject.Server, d subject.Domain) (ways []way) {
	p := s.Facts.Postfix
	if p == nil || !d.Sends || !d.Receives {
		return nil
	}
	for _, w := range submission {
		if slices.ContainsFunc(p.Services, func(v state.Service) bool { return slices.Contains(w.services, v.Name) }) {
			ways = append(ways, w)
		}
	}
	return ways
}

// Services checks the SRV records by which mail programs find the server that takes mail
// of the domain's users. They are optional.
func Services(ctx context.Context, dns *dnsclient.Client, s subject.Server, d subject.Domain) finding.Result {
	var r finding.Result
	var missing []string
	for _, w := range offered(s, d) {
		name := w.label + "." + d.Name
		records, status, err := dns.Lookup(ctx, name+".", "SRV")
		switch {
		case err != nil:
			r.Findings = append(r.Findings, unknown(d, "client.srv", name, err))
			return r
		case status == dnsclient.Found:
			r.Findings = append(r.Findings, srv(ctx, dns, d, name, records))
		default:
			missing = append(missing, fmt.Sprintf("%s. 3600 IN SRV 0 1 %s %s.", name, w.port, s.Name))
		}
	}
	if len(missing) > 0 && len(r.Findings) == 0 && s.Name != "" {
		r.Findings = append(r.Findings, finding.Finding{
			ID: "client.srv", Severity: finding.Note, Domain: d.Name,
			Seen: "no SRV records: people type the name of the server into their mail program", Remedy: finding.Records(missing...),
		})
	}
	return r
}

// srv judges the SRV records of one service. The target "." says that it is not offered,
// which is right for one of the two ports.
func srv(ctx context.Context, dns *dnsclient.Client, d subject.Domain, name string, records []state.Record) finding.Finding {
	f := finding.Finding{ID: "client.srv", Severity: finding.OK, Domain: d.Name, Subject: name}
	const most = 10
	for _, r := range records[:min(len(records), most)] {
		fields := strings.Fields(r.Value)
		if r.Type != "SRV" || len(fields) != 4 {
			continue
		}
		target := fields[3]
		f.Seen = shorten(r.Value)
		if target == "." {
			continue
		}
		a, inet, errA := dns.Lookup(ctx, target, "A")
		_, inet6, errAAAA := dns.Lookup(ctx, target, "AAAA")
		switch {
		case errA != nil || errAAAA != nil:
			f.Severity, f.Seen = finding.Unknown, fmt.Sprintf("%s has no answer", dnsname.TrimDot(target))
			return f
		case inet != dnsclient.Found && inet6 != dnsclient.Found:
			f.Severity, f.Seen = finding.Note, fmt.Sprintf("%s has no address", dnsname.TrimDot(target))
			return f
		case len(a) > 0 && a[0].Type == "CNAME":
			f.Severity, f.Seen = finding.Note, fmt.Sprintf("%s is an alias, which RFC 2782 forbids here", dnsname.TrimDot(target))
			return f
		}
	}
	return f
}

// Autoconfig looks for the name at which Thunderbird asks for its settings. A wildcard
// answers for every name and says nothing about this one.
func Autoconfig(ctx context.Context, dns *dnsclient.Client, s subject.Server, d subject.Domain) finding.Result {
	if len(offered(s, d)) == 0 {
		return finding.Result{}
	}
	f := finding.Finding{ID: "autoconfig", Severity: finding.OK, Domain: d.Name, Subject: "autoconfig." + d.Name, Seen: "has an address"}
	_, status, err := dns.Lookup(ctx, f.Subject+".", "A")
	switch {
	case err != nil:
		f = unknown(d, f.ID, f.Subject, err)
	case status != dnsclient.Found:
		f.Severity = finding.Note
		f.Seen = "has no address: mail programs guess the settings, or ask the domain of the MX for them"
	default:
		if _, other, err := dns.Lookup(ctx, dnsclient.UnusedName(d.Name+"."), "A"); err != nil || other == dnsclient.Found {
			return finding.Result{}
		}
	}
	return finding.Result{Findings: []finding.Finding{f}}
}

// unknown returns the finding about a question that was not answered.
func unknown(d subject.Domain, id, name string, err error) finding.Finding {
	return finding.Finding{ID: id, Severity: finding.Unknown, Domain: d.Name, Subject: name, Seen: shorten(err.Error()), CausedBy: "dns.delegation"}
}
