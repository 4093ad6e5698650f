package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/spec/syntax"
)

// The defaults of what nobody answered.
const (
	DefaultTTL     = 3600
	DefaultKeyBits = 2048
	DefaultSPFAll  = "softfail"
	DefaultDMARC   = "none"
	DefaultAction  = "tempfail"
)

// noneAnswer is the answer that empties a list or an optional value.
const noneAnswer = "none"

// DefaultSelector returns the month, as in 202611.
func DefaultSelector(now time.Time) string { return now.Format("200601") }

// Spec builds the intent. An answer wins over the old spec, which wins over
// the defaults. A domain that the old spec does not have is added to it; the
// primary domain stays the one it was.
func (a Answers) Spec(old *Spec, now time.Time) (Spec, syntax.Findings) {
	var f findingList
	var out Spec
	if old != nil {
		out = old.clone(1)
	}
	name := out.Host.Domain
	setField(&f, "--domain", a.Domain, &name, syntax.DomainName)
	a.host(&f, &out.Host)
	if out.Host.Domain == "" {
		out.Host.Domain = name
	}
	at, found := slices.BinarySearchFunc(out.Domains, name, byName)
	if !found {
		out.Domains = slices.Insert(out.Domains, at, out.Host.Defaults.domain(name, now))
	}
	a.applyToDomain(&f, &out, &out.Domains[at], found)
	a.consents(&f, &out)
	a.checkModeFlags(&f, out.uses)
	f.finish(a, out, old)
	return out, f.findings
}

func byName(d Domain, name string) int { return strings.Compare(d.Name, name) }

// applyToDomain applies the answers about one domain, and the consequences of those
// about the host.
func (a Answers) applyToDomain(f *findingList, s *Spec, d *Domain, exists bool) {
	a.domain(f, d, exists)
	redirect := false
	setField(f, "--spf-redirect", a.SPFRedirect, &redirect, YesNo)
	if a.SPFRedirect != "" || !exists && (a.SPFAll != "" || len(a.SPFInclude) > 0) {
		d.SPF.Redirect = "" // for a record of its own
	}
	if redirect {
		d.SPF.Redirect = s.Host.Domain
	}
	if redirect && !exists && len(a.SPFInclude) == 0 {
		d.SPF.Include = nil // the record that decides instead has its own
	}
	if !exists && len(a.RUA) == 0 && len(s.Host.Defaults.DMARC.RUA) == 0 {
		d.DMARC.RUA = defaultReports(s.Host, *d)
	}
}

// WithDomains returns the spec with a new domain for each of the answers. Answers about
// the host are ignored, but for the DNS mode, which is that of the new domain, and slots
// where there were none. An existing domain stays as it is.
func (s Spec) WithDomains(list []Answers, now time.Time) (Spec, syntax.Findings) {
	var f findingList
	out := s.clone(len(list))
	there := map[string]bool{}
	for _, a := range list {
		name := ""
		setField(&f, "DOMAIN", a.Domain, &name, syntax.DomainName)
		if name == "" || there[name] || s.Has(name) {
			continue
		}
		there[name] = true
		d := out.Host.Defaults.domain(name, now)
		setField(&f, "--dns", a.DNS, &d.DNS, DNS)
		a.checkModeFlags(&f, func(m DNSMode) bool { return m == cmp.Or(d.DNS, out.Host.DNS) })
		a.slotsOfNew(&f, &out.Host)
		if d.DNS == out.Host.DNS {
			d.DNS = ""
		}
		setField(&f, "--rfc2136-server", a.UpdateServer, &d.Update.Server, syntax.UpdateServer)
		setField(&f, "--rfc2136-key", a.UpdateKey, &d.Update.KeyFile, syntax.UpdateKey)
		setField(&f, "--dns-hook", a.Hook, &d.Update.Hook, syntax.Hook)
		a.applyToDomain(&f, &out, &d, false)
		out.Domains = append(out.Domains, d)
	}
	out.Domains = sorted(out.Domains)
	if len(f.findings) == 0 {
		f.findings = out.Validate()
	}
	return out, f.findings
}

// Without returns the spec without some of its domains.
func (s Spec) Without(names ...string) Spec {
	s.Domains = slices.DeleteFunc(slices.Clone(s.Domains), func(d Domain) bool { return slices.Contains(names, d.Name) })
	return s
}

// consents removes stored refusals that an answer takes back.
func (a Answers) consents(f *findingList, s *Spec) {
	var change, merge, replace bool
	setField(f, "--existing-records", a.ExistingRecords, &change, ExistingRecords)
	setField(f, "--service-milters", a.ServiceMilters, &merge, ServiceMilters)
	setField(f, "--other-signer", a.OtherSigner, &replace, OtherSigner)
	for i := range s.Domains {
		if change {
			s.Domains[i].Keep = nil
		}
		if replace {
			s.Domains[i].SignedBy = ""
		}
	}
	if a.OtherSigner != "" && !replace {
		s.Host.NonsigningMilters = nil
	}
	if merge {
		s.Host.LeaveServices = nil
	}
}

// host applies the answers about the host.
func (a Answers) host(f *findingList, h *Host) {
	h.Version = Version
	setField(f, "--hostname", a.Hostname, &h.Hostname, syntax.Hostname)
	setList(f, "--ip", a.Addresses, &h.Addresses, syntax.Address)
	setField(f, "--dns", a.DNS, &h.DNS, DNS)
	h.DNS = cmp.Or(h.DNS, DNSManual)
	setField(f, "--mta", a.MTA, &h.MTA, MTA)
	setField(f, "--send-only", a.SendOnly, &h.SendOnly, YesNo)
	setOrEmpty(f, "--root-alias", a.RootAlias, &h.RootAlias, syntax.MailAddress)
	setOrEmpty(f, "--notify", a.Notify, &h.Notify, syntax.MailAddress)
	setField(f, "--milter-default-action", a.MilterDefaultAction, &h.MilterDefaultAction, MilterAction)
	h.MilterDefaultAction = cmp.Or(h.MilterDefaultAction, DefaultAction)
	setField(f, "--sign-bounces", a.SignBounces, &h.SignBounces, SignBounces)
	h.Drain = cmp.Or(h.Drain, DefaultDrain)
	setField(f, "--rfc2136-server", a.UpdateServer, &h.Update.Server, syntax.UpdateServer)
	setField(f, "--rfc2136-key", a.UpdateKey, &h.Update.KeyFile, syntax.UpdateKey)
	setField(f, "--dns-hook", a.Hook, &h.Update.Hook, syntax.Hook)
	a.slots(f, h)
	a.Inbound.Apply(&h.Inbound, f.add)
}

// domain returns a new domain with the defaults.
func (def Defaults) domain(name string, now time.Time) Domain {
	d := defaultDomain()
	d.Name, d.Selector = name, cmp.Or(def.Selector, DefaultSelector(now))
	d.KeyBits, d.TTL = cmp.Or(def.KeyBits, d.KeyBits), cmp.Or(def.TTL, d.TTL)
	d.SPF.All, d.SPF.Include = cmp.Or(def.SPF.All, d.SPF.All), slices.Clone(def.SPF.Include)
	if def.SPF.Redirect != name {
		d.SPF.Redirect = def.SPF.Redirect
	}
	policy := cmp.Or(def.DMARC.Policy, d.DMARC.Policy)
	d.DMARC = def.DMARC.clone()
	d.DMARC.Policy = policy
	return d
}

// defaultDomain holds what a file may leave out.
func defaultDomain() Domain {
	return Domain{
		KeyBits: DefaultKeyBits, TTL: DefaultTTL,
		SPF: SPF{All: DefaultSPFAll}, DMARC: DMARC{Policy: DefaultDMARC},
	}
}

// domain applies the answers about the domain.
func (a Answers) domain(f *findingList, d *Domain, exists bool) {
	if exists {
		a.refuseRotation(f, *d)
	} else {
		setField(f, "--selector", a.Selector, &d.Selector, syntax.Selector)
		setField(f, "--key-bits", a.KeyBits, &d.KeyBits, KeyBits)
	}
	setField(f, "--receive", a.Receive, &d.Receive, YesNo)
	setField(f, "--ttl", a.TTL, &d.TTL, TTL)
	setField(f, "--dns-new-zone", a.NewZone, &d.NewZone, YesNo)
	setList(f, "--ns", a.NS, &d.NS, syntax.Hostname)
	setList(f, "--keep-selector", a.KeepSelectors, &d.KeepSelectors, syntax.Selector)
	setField(f, "--wildcard-records", a.WildcardRecords, &d.WildcardRecords, WildcardRecords)
	setField(f, "--subdomains", a.Subdomains, &d.Subdomains, YesNo)
	setField(f, "--spf-all", a.SPFAll, &d.SPF.All, SPFAll)
	setList(f, "--spf-include", a.SPFInclude, &d.SPF.Include, syntax.SPFInclude)
	setField(f, "--dmarc", a.DMARC, &d.DMARC.Policy, DMARCPolicy)
	setField(f, "--dmarc-sp", a.DMARCSP, &d.DMARC.SubdomainPolicy, DMARCPolicy)
	setField(f, "--adkim", a.ADKIM, &d.DMARC.ADKIM, Alignment)
	setField(f, "--aspf", a.ASPF, &d.DMARC.ASPF, Alignment)
	setList(f, "--rua", a.RUA, &d.DMARC.RUA, syntax.Report)
	setList(f, "--ruf", a.RUF, &d.DMARC.RUF, syntax.Report)
}

// refuseRotation refuses answers that would change the key of a domain that signs
// already.
func (a Answers) refuseRotation(f *findingList, d Domain) {
	selector, bits := d.Selector, d.KeyBits
	setField(f, "--selector", a.Selector, &selector, syntax.Selector)
	setField(f, "--key-bits", a.KeyBits, &bits, KeyBits)
	if selector != d.Selector {
		f.add("--selector", fmt.Sprintf("%q instead of %q is a rotation of the key of %s", selector, d.Selector, d.Name),
			"leave the flag out; mailsetup rotate-dkim --now "+d.Name+" begins one, and the new key gets a selector of its own")
	}
	if bits != d.KeyBits {
		f.add("--key-bits", fmt.Sprintf("%d instead of %d is a rotation of the key of %s", bits, d.KeyBits, d.Name),
			fmt.Sprintf("leave the flag out; write key_bits = %d into %s, and rotate-dkim replaces a key that is smaller", bits, DomainFile(d.Name)))
	}
}

// defaultReports sends aggregate reports to the root alias if receivers would honour
// that: an address elsewhere needs a record of consent there (RFC 9990), which most
// hosts do not have. A domain that receives here has a postmaster, which is the root
// alias.
func defaultReports(h Host, d Domain) []string {
	_, at, found := strings.Cut(h.RootAlias, "@")
	switch {
	case !found:
		return nil
	case at == d.Name, strings.HasSuffix(at, "."+d.Name):
		return []string{"mailto:" + h.RootAlias}
	case d.Receive:
		return []string{"mailto:postmaster@" + d.Name}
	}
	return nil
}

// findingList collects findings about the answers.
type findingList struct {
	findings syntax.Findings
	// place says where a field was given, nil where its name says that.
	place func(field string) string
}

// maxInFile is how many findings about one file are told: the place of each is looked
// for in the text.
const maxInFile = 20

func (f *findingList) add(field, text, hint string) {
	if f.place != nil {
		if len(f.findings) == maxInFile {
			return
		}
		field = f.place(field)
	}
	f.findings = append(f.findings, syntax.Finding{Field: field, Text: text, Hint: hint})
}

func (f *findingList) bad(field string, err error) {
	if bad, ok := errors.AsType[*syntax.BadValue](err); ok {
		found := bad.Finding(field)
		f.add(found.Field, found.Text, found.Hint)
		return
	}
	f.add(field, err.Error(), "")
}

// finish adds what is missing, and validates the whole if each answer alone is right.
func (f *findingList) finish(a Answers, out Spec, old *Spec) {
	for _, flag := range a.Missing(old) {
		f.add(flag, "is needed", "")
	}
	if len(f.findings) == 0 {
		f.findings = out.Validate()
	}
}

// setField sets a field from an answer, if there is one.
func setField[T any](f *findingList, flag, answer string, field *T, parse func(string) (T, error)) {
	if answer == "" {
		return
	}
	value, err := parse(answer)
	if err != nil {
		f.bad(flag, err)
		return
	}
	*field = value
}

// setOrEmpty is setField for a field that an answer may empty.
func setOrEmpty(f *findingList, flag, answer string, field *string, parse func(string) (string, error)) {
	if answer == noneAnswer {
		*field = ""
		return
	}
	setField(f, flag, answer, field, parse)
}

// setList sets a list from the answers, if there are any, without duplicates.
func setList[T comparable](f *findingList, flag string, answers []string, field *[]T, parse func(string) (T, error)) {
	if len(answers) == 0 {
		return
	}
	var list []T
	if len(answers) == 1 && strings.TrimSpace(answers[0]) == noneAnswer {
		*field = nil
		return
	}
	for _, answer := range answers {
		value, err := parse(answer)
		if err != nil {
			f.bad(flag, err)
		} else if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	*field = slices.Clip(list)
}

// clone copies a spec, so that changing the copy leaves the original alone, but for what is
// in the lists of its domains: nobody changes a list in place. It has room for some more.
func (s Spec) clone(more int) Spec {
	s.Host.Addresses, s.Host.LeaveServices = slices.Clone(s.Host.Addresses), slices.Clone(s.Host.LeaveServices)
	s.Host.Trusted, s.Host.OpenDKIM = slices.Clone(s.Host.Trusted), slices.Clone(s.Host.OpenDKIM)
	s.Host.NonsigningMilters, s.Host.Ignore = slices.Clone(s.Host.NonsigningMilters), slices.Clone(s.Host.Ignore)
	s.Host.Slots.Selectors = slices.Clone(s.Host.Slots.Selectors)
	s.Host.BlockLists, s.Host.Inbound = slices.Clone(s.Host.BlockLists), s.Host.Inbound.Clone()
	s.Host.Defaults.SPF.Include, s.Host.Defaults.DMARC = slices.Clone(s.Host.Defaults.SPF.Include), s.Host.Defaults.DMARC.clone()
	s.Domains = sorted(append(make([]Domain, 0, len(s.Domains)+more), s.Domains...))
	return s
}

func (p DMARC) clone() DMARC {
	p.RUA, p.RUF = slices.Clone(p.RUA), slices.Clone(p.RUF)
	return p
}
