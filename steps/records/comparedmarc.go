package records

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/step"
)

// compareDMARC compares a DMARC record tag by tag with the spec. Tags that the spec
// does not have are the administrator's.
func compareDMARC(d spec.Domain, ours state.Record, there []state.Record) Comparison {
	if len(there) > 1 {
		return several("DMARC", "receivers apply none of them (RFC 9989)", ours, there, policy.MildestDMARC(ValuesOf(there))).applyKeep(d, ours)
	}
	rec, err := policy.ParseDMARC(there[0].Value)
	if err != nil {
		return unreadable("DMARC", "ignore it", ours, there[0], err).applyKeep(d, ours)
	}
	set, reasons := rec, []string(nil)
	change := func(tag, value, reason string) {
		set, reasons = set.Set(tag, value), append(reasons, reason)
	}
	want := d.DMARC
	want.Policy = dmarcPolicy(d)
	if is := set.Policy(); is != want.Policy {
		change("p", want.Policy, fmt.Sprintf("says p=%s, %s p=%s you asked for", is, relation(is, want.Policy), want.Policy))
	}
	if is := set.SubdomainPolicy(); want.SubdomainPolicy != "" && is != want.SubdomainPolicy {
		change("sp", want.SubdomainPolicy, fmt.Sprintf("has p=%s for subdomains, and you asked for sp=%s", is, want.SubdomainPolicy))
	}
	for _, a := range []struct{ tag, want string }{{"adkim", want.ADKIM}, {"aspf", want.ASPF}} {
		if is := set.Alignment(a.tag); a.want != "" && is != a.want {
			change(a.tag, a.want[:1], fmt.Sprintf("has %s=%s, and you asked for %s", a.tag, is[:1], a.want))
		}
	}
	for _, r := range []struct {
		tag  string
		want []string
	}{{"rua", want.RUA}, {"ruf", want.RUF}} {
		if list, lacks := reportsTo(set.URIs(r.tag), r.want); len(lacks) > 0 {
			change(r.tag, strings.Join(list, ","), fmt.Sprintf("does not name %s in %s=", strings.Join(lacks, " and "), r.tag))
		}
	}
	if len(reasons) == 0 {
		return Comparison{}
	}
	name, why := mailName(ours.Name), strings.Join(reasons, "; it also ")
	return Comparison{
		Change: set.String(), Replacement: set.String(),
		Text:     fmt.Sprintf("the DMARC record of %s %s", name, why),
		declined: "receivers go on by " + rec.String(),
		keptText: fmt.Sprintf("the DMARC record of %s stays, as you decided: it %s", name, why),
	}.applyKeep(d, ours)
}

// relation says how one policy relates to another: stricter or weaker.
func relation(is, want string) string {
	order := []string{"none", "quarantine", "reject"}
	switch a, b := slices.Index(order, is), slices.Index(order, want); {
	case a < 0:
		return "which no receiver knows, instead of the"
	case a > b:
		return "stricter than the"
	}
	return "looser than the"
}

// reportsTo returns where reports should go: to the wanted addresses, and to existing
// ones that the spec cannot express. Lacks are the wanted ones that are missing.
func reportsTo(have, want []string) (list, lacks []string) {
	for _, uri := range want {
		i := slices.IndexFunc(have, func(h string) bool { return SameURI(h, uri) })
		if i < 0 {
			list, lacks = append(list, uri), append(lacks, uri)
		} else {
			list = append(list, have[i])
		}
	}
	for _, h := range have {
		if _, err := syntax.Report(WithoutSizeLimit(h)); err != nil {
			list = append(list, h)
		}
	}
	return list, lacks
}

// HasReportAddress reports whether the existing record sends reports to addresses that
// the spec does not have.
func HasReportAddress(in step.Input, d spec.Domain) bool {
	for _, text := range TXTRecords(in.Facts, dnsname.Policy(d.Name), policy.IsDMARC) {
		if rec, err := policy.ParseDMARC(text); err == nil && len(rec.URIs("rua")) > 0 {
			return true
		}
	}
	return false
}

// WithoutSizeLimit removes the size limit of RFC 7489, as in mailto:a@example.org!10m.
func WithoutSizeLimit(uri string) string {
	uri, _, _ = strings.Cut(uri, "!")
	return uri
}

// SameURI compares report addresses, whatever their size limit.
func SameURI(a, b string) bool { return strings.EqualFold(WithoutSizeLimit(a), WithoutSizeLimit(b)) }

// DelegatedPolicy returns a note about a policy that is an alias: a service publishes
// it, and it stays.
func DelegatedPolicy(in step.Input, d spec.Domain, alias state.Record) state.Note {
	n := state.Note{Topic: "dmarc", Informational: true}
	n.Text = fmt.Sprintf("%s is an alias of %s: the DMARC policy of %s is made there, and stays", dnsname.TrimDot(alias.Name), dnsname.TrimDot(alias.Value), d.Name)
	live, ok := in.Facts.Live[dnsname.TrimDot(strings.ToLower(alias.Name))]
	texts := slices.DeleteFunc(slices.Clone(live.TXT), func(t string) bool { return !policy.IsDMARC(t) })
	switch {
	case len(texts) > 0:
		n.Text += "; it says " + text.Values(texts)
		if rec, err := policy.ParseDMARC(texts[0]); err == nil && rec.Policy() != d.DMARC.Policy {
			n.Text += fmt.Sprintf(", not p=%s", d.DMARC.Policy)
		}
	case ok && live.Asked:
		n.Informational = false
		n.Text += "; there is no DMARC record there"
		n.Action = "dig TXT " + dnsname.TrimDot(alias.Value)
	default:
		n.Text += "; what it says could not be looked up"
	}
	return n
}
