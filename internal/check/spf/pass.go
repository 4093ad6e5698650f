package spf

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/spfcheck"
)

// receivers are the kinds that are known to differ, first the one that is judged by:
// names without addresses of one family only are no fault there. Where the strictest
// passes, all do.
var receivers = []struct {
	name string
	as   spfcheck.Receiver
}{
	{"go/spf, mailauth", spfcheck.Receiver{BothFamilies: true}},
	{"python3-spf (policyd-spf), Mail::SPF", spfcheck.Receiver{}},
	{"libspf2 (Exim)", spfcheck.Receiver{Unlimited: true}},
}

// strictest is the place of the strictest among them.
const strictest = 1

// pass evaluates the record for each address that mail leaves from, and returns how
// many do not pass.
func (l *look) pass() (denied int) {
	if l.s.Smarthost != "" && l.d.Sends {
		l.smarthost()
		return 0
	}
	if len(l.s.Egress) == 0 && len(l.s.Hidden) > 0 && l.d.Sends {
		l.add(finding.Finding{
			ID: "spf.pass", Severity: finding.Unknown, CausedBy: "addr.egress", Expected: "pass",
			Seen: "nobody outside sees " + l.s.Hidden[0].Address.String() + ", and the public address is not known",
		})
	}
	for _, a := range l.addresses() {
		verdicts := l.verdicts(a)
		v := verdicts[0]
		f := finding.Finding{ID: "spf.pass", Subject: a.String(), Seen: v.String(), Expected: "pass"}
		switch {
		case v.Result == spfcheck.TempError:
			f.Severity = finding.Unknown
			denied++
		case v.Result != spfcheck.Pass:
			f.Severity, f.CausedBy = finding.Problem, cause(l.record, v)
			if f.CausedBy == "" && l.s.Undeclared(a) {
				f.CausedBy = "addr.egress"
			}
			f.Remedy = l.publish(l.record.SPF.Merge(policy.SPFChange{Pass: []netip.Addr{a}}))
			if f.CausedBy == "" && l.ours() && slices.Contains(l.s.Spec.Host.Addresses, a) {
				f.Remedy, f.Fixable = changeIt, true
			}
			denied++
		}
		l.add(f)
		l.differ(a, verdicts)
	}
	return denied
}

// causes are the findings that explain a permanent error.
var causes = map[spfcheck.FaultKind]string{
	spfcheck.NoRecord: "spf.include-dead", spfcheck.SeveralRecords: "spf.one", spfcheck.BadSyntax: "spf.syntax", spfcheck.Loop: "spf.loop",
	spfcheck.TooManyExchangers: "spf.mx10", spfcheck.TooManyLookups: "spf.lookups", spfcheck.TooManyVoids: "spf.voids",
}

// cause returns the ID of the finding that explains a verdict, "" for none.
func cause(r *spfcheck.Record, v spfcheck.Verdict) string {
	switch {
	case v.Fault == nil:
		return ""
	case v.Fault.Kind == spfcheck.TooManyLookups && r.Has(spfcheck.Loop):
		return "spf.loop"
	}
	return causes[v.Fault.Kind]
}

// verdicts returns what each kind of receiver says of an address.
func (l *look) verdicts(a netip.Addr) []spfcheck.Verdict {
	c := spfcheck.Client{Address: a, HELO: l.s.Name, Sender: l.d.Name}
	strict := l.names.Check(l.ctx, receivers[strictest].as, c)
	list := slices.Repeat([]spfcheck.Verdict{strict}, len(receivers))
	if strict.Result == spfcheck.Pass {
		return list
	}
	for i, r := range receivers {
		if i != strictest {
			list[i] = l.names.Check(l.ctx, r.as, c)
		}
	}
	return list
}

// differ says which receivers pass an address and which do not.
func (l *look) differ(a netip.Addr, verdicts []spfcheck.Verdict) {
	f := finding.Finding{ID: "spf.voids-v6", Subject: a.String(), Expected: "the same result at all receivers"}
	same := !slices.ContainsFunc(verdicts, func(v spfcheck.Verdict) bool { return v.Result != verdicts[0].Result })
	switch {
	case verdicts[0].Result != spfcheck.Pass: // spf.pass says so
		return
	case !same:
		var says []string
		for i, r := range receivers {
			says = append(says, string(verdicts[i].Result)+" at "+r.name)
		}
		f.Severity, f.Seen = finding.Warning, "receivers differ: "+strings.Join(says, ", ")
		f.Remedy = l.publish(l.named(l.record.SPF.String()))
	}
	l.add(f)
}

// order looks at the place of our own addresses.
func (l *look) order(denied int) {
	if len(l.addresses()) == 0 || denied > 0 {
		return
	}
	f := finding.Finding{ID: "spf.ours-first"}
	if better := l.record.SPF.First(l.addresses()); better != "" {
		f.Severity, f.Seen, f.Expected = finding.Note, l.record.Text, "our addresses before all names"
		f.Remedy = l.publish(better)
		if slices.ContainsFunc(l.found.Findings, func(o finding.Finding) bool { return o.ID == "spf.voids-v6" && o.Severity == finding.Warning }) {
			f.CausedBy = "spf.voids-v6"
		}
	}
	l.add(f)
}

// smarthost looks at a record by which mail passes that leaves from addresses of others:
// which ones, nobody here can know.
func (l *look) smarthost() {
	f := finding.Finding{ID: "spf.pass", Subject: l.s.Smarthost, Expected: "a term that passes the addresses of " + l.s.Smarthost}
	others := false
	for _, t := range l.record.SPF.Terms() {
		if t.Name != "all" && (t.Qualifier == '+' || t.Name == "redirect") && t.Name != "exp" {
			n, ok := t.Network()
			ours := ok && slices.ContainsFunc(l.s.Egress, func(e subject.Egress) bool { return n.IsSingleIP() && n.Contains(e.Address.Unmap()) })
			others = others || !ours
		}
	}
	if others || l.record.SPF.All() == "pass" {
		return
	}
	f.Severity, f.Seen = finding.Note, "the record passes no address but those of this server, and mail leaves by "+l.s.Smarthost
	f.Remedy = finding.Text("ask whoever runs " + l.s.Smarthost + " which include: the record needs")
	if !slices.ContainsFunc(l.record.SPF.Terms(), func(t policy.Term) bool { return t.Qualifier == '+' && t.Name != "all" }) {
		f.Severity, f.Seen = finding.Problem, "the record passes nobody, and mail leaves by "+l.s.Smarthost
	}
	l.add(f)
}

// CheckHELO looks at the SPF record of the name that the server greets with.
func CheckHELO(ctx context.Context, dns dnsclient.Resolver, s subject.Server) finding.Result {
	var found finding.Result
	if s.Smarthost != "" || !strings.Contains(s.Name, ".") {
		return found // nobody sees it; or host.fqdn says so
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	names := spfcheck.NewNames(dns)
	for _, e := range s.Egress {
		v := names.Check(ctx, receivers[0].as, spfcheck.Client{Address: e.Address, HELO: s.Name, Sender: s.Name})
		f := finding.Finding{ID: "spf.helo", Severity: finding.OK, Subject: e.Address.String(), Seen: short(s.Name + ": " + v.String()), Expected: "pass"}
		switch v.Result {
		case spfcheck.Pass:
		case spfcheck.TempError:
			f.Severity = finding.Unknown
		case spfcheck.Fail, spfcheck.PermError:
			f.Severity = finding.Problem
		default:
			f.Severity = finding.Warning
		}
		if f.Severity != finding.OK && f.Severity != finding.Unknown {
			if s.Undeclared(e.Address) {
				f.CausedBy = "addr.egress"
			}
			f.Remedy = heloRemedy(ctx, names, s, e.Address)
			if s.SetUp && s.Spec.Host.DNS != spec.DNSManual && s.Spec.Host.Hostname == s.Name && v.Result != spfcheck.PermError && slices.Contains(s.Spec.Host.Addresses, e.Address) {
				f.Remedy, f.Fixable = changeIt, true
				if v.Result == spfcheck.None {
					f.Remedy = addIt
				}
			}
		}
		found.Findings = append(found.Findings, f)
	}
	return found
}

// heloRemedy returns the record of the HELO name that passes an address.
func heloRemedy(ctx context.Context, names *spfcheck.Names, s subject.Server, a netip.Addr) finding.Remedy {
	texts, _ := names.SPFRecords(ctx, s.Name)
	if len(texts) == 1 {
		if rec, err := policy.ParseSPF(texts[0]); err == nil {
			return proposed(inPlace, s.Name, rec.Merge(policy.SPFChange{Pass: []netip.Addr{a}}))
		}
	}
	terms := []string{"v=spf1"}
	for _, e := range s.Egress {
		if t := policy.AddressTerm(e.Address); !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	return proposed("publish", s.Name, strings.Join(append(terms, "~all"), " "))
}
