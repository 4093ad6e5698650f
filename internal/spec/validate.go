package spec

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/ignore"
	"mailsetup/internal/parallel"
	"mailsetup/internal/same"
	"mailsetup/internal/spec/syntax"
)

// maxLookups is the number of mechanisms with DNS queries up to which receivers
// evaluate SPF (RFC 7208 section 4.6.4).
const maxLookups = 10

// Validate returns all faults of the spec, nil for none.
func (s Spec) Validate() syntax.Findings {
	var f findingList
	s.Host.validate(&f)
	if !slices.ContainsFunc(s.Domains, func(d Domain) bool { return d.Name == s.Host.Domain }) {
		f.add("host: domain", fmt.Sprintf("%q has no file in %s", s.Host.Domain, domainsDir), "name a domain that is set up")
	}
	if err := s.RootLoop(); err != nil {
		f.add("host: root_alias", fmt.Sprintf("%q %s", err.Value, err.Why), err.Hint)
	}
	each := s.validateDomains(true)
	if slices.ContainsFunc(each, func(l findingList) bool { return len(l.findings) > 0 }) {
		each = s.validateDomains(false)
	}
	for _, more := range each {
		f.findings = append(f.findings, more.findings...)
	}
	s.validateSenders(&f)
	return f.findings
}

// validateDomains returns the faults of each domain. It may be brief about those that say what
// the one before says: what that has is not found in them again.
func (s Spec) validateDomains(brief bool) []findingList {
	each := make([]findingList, len(s.Domains))
	_ = parallel.Do(len(each), runtime.GOMAXPROCS(0), func(i int) error {
		if d := s.Domains[i]; brief && i > 0 && d.saysWhat(s.Domains[i-1]) {
			d.validateName(&each[i])
		} else {
			d.validate(&each[i])
		}
		s.validateDomain(&each[i], i)
		return nil
	})
	return each
}

// saysWhat reports whether a domain has what another one has, and so no other fault but in its
// name.
func (d Domain) saysWhat(other Domain) bool {
	other.Name = d.Name
	return d.SPF.Redirect != d.Name && !slices.Contains(d.SPF.Include, d.Name) && same.Values(&d, &other)
}

// validateDomain finds what a domain cannot have beside the host and the other domains.
func (s Spec) validateDomain(f *findingList, i int) {
	d := s.Domains[i]
	if i > 0 && s.Domains[i-1].Name == d.Name {
		f.add(d.Name, "is there twice", "")
	}
	s.validateDNS(f, d)
	if (d.Name == s.Host.Domain || d.Name == s.Host.Hostname) && !d.Sends() {
		f.add(d.Name+": role", fmt.Sprintf("%q cannot be that of a domain as which the host itself sends mail", d.Role), "leave role out of "+string(DomainFile(d.Name)))
	}
	if d.Receive && s.Host.SendOnly {
		f.add(d.Name+": receive", "is true, and by send_only of the host nothing is received", "mailsetup init --domain "+d.Name+" --receive no, or --send-only=false")
	}
	if d.NewZone && s.DNSOf(d) != DNSBind {
		f.add(d.Name+": new_zone", "needs dns bind", "keep dns bind, or set new_zone = false in "+string(DomainFile(d.Name)))
	}
}

// validateSenders finds senders of more than one domain: a table has one row for each.
func (s Spec) validateSenders(f *findingList) {
	if !slices.ContainsFunc(s.Domains, func(d Domain) bool { return len(d.Also) > 0 }) {
		return
	}
	of := make(map[string]string, len(s.Domains)) // the domain that signs for a sender
	for _, d := range s.Domains {
		for _, sender := range d.ownSenders() {
			of[sender] = d.Name
		}
	}
	for _, d := range s.Domains {
		for _, sender := range d.Also {
			if other, taken := of[sender]; taken {
				f.add(d.Name+": also", fmt.Sprintf("%q is a sender of %s already", sender, DomainFile(other)),
					fmt.Sprintf("take %q out of also in %s", sender, DomainFile(d.Name)))
			}
			of[sender] = d.Name
		}
	}
}

// validateDNS finds a domain whose records cannot be published.
func (s Spec) validateDNS(f *findingList, d Domain) {
	if d.DNS != "" {
		checkNormal(f, d.Name+": dns", d.DNS, func(m DNSMode) (DNSMode, error) { return DNS(string(m)) })
	}
	if s.DNSOf(d) == DNSUpdate && s.UpdateOf(d).KeyFile == "" {
		f.add(d.Name+": rfc2136.key_file", "is empty, and updates are signed", "--rfc2136-key FILE names the TSIG key, which tsig-keygen makes")
	}
	if s.DNSOf(d) == DNSSlots {
		s.validateSlots(f, d)
	}
	if s.DNSOf(d) == DNSHook && s.UpdateOf(d).Hook == "" {
		f.add(d.Name+": dns_hook", "is empty, and a program changes the records", "--dns-hook PROGRAM names it by its absolute path")
	}
}

// RootLoop returns the fault of a root alias by which root's mail comes back to root,
// nil for any other: Postfix detects the loop and bounces all of it.
func (s Spec) RootLoop() *syntax.BadValue {
	if !s.circular() {
		return nil
	}
	return &syntax.BadValue{
		Field: "address", Value: s.Host.RootAlias,
		Why: "is delivered here as root's own mail, in a circle", Hint: "name the mailbox of a person",
	}
}

// circular reports whether the root alias is an address of root or postmaster on this
// host.
func (s Spec) circular() bool {
	local, host, _ := strings.Cut(strings.ToLower(s.Host.RootAlias), "@")
	if local != "root" && local != "postmaster" {
		return false
	}
	if i := slices.IndexFunc(s.Domains, func(d Domain) bool { return d.Name == host }); i >= 0 {
		return s.Domains[i].Receive
	}
	return host == s.Host.Hostname
}

func (h Host) validate(f *findingList) {
	if h.Version != Version {
		f.add("host: version", fmt.Sprintf("%d is not known", h.Version), fmt.Sprintf("this program reads and writes version %d", Version))
	}
	checkNormal(f, "host: hostname", h.Hostname, syntax.Hostname)
	checkNormal(f, "host: domain", h.Domain, syntax.DomainName)
	checkNormal(f, "host: dns", h.DNS, func(m DNSMode) (DNSMode, error) { return DNS(string(m)) })
	checkNormal(f, "host: milter_default_action", h.MilterDefaultAction, MilterAction)
	each := func(key string, parse func(string) (string, error), values ...string) {
		for _, v := range values {
			checkNormal(f, "host: "+key, v, parse)
		}
	}
	optional := func(key string, parse func(string) (string, error), value string) {
		if value != "" {
			each(key, parse, value)
		}
	}
	optional("mta", MTA, h.MTA)
	optional("sign_bounces", SignBounces, h.SignBounces)
	each("leave_services", Service, h.LeaveServices...)
	optional("root_alias", syntax.MailAddress, h.RootAlias)
	optional("notify", syntax.MailAddress, h.Notify)
	optional("repair", Repair, h.Repair)
	each("trusted", syntax.Trusted, h.Trusted...)
	each("opendkim", syntax.OpenDKIMLine, h.OpenDKIM...)
	each("nonsigning_milters", NonsigningMilter, h.NonsigningMilters...)
	each("block_lists", BlockList, h.BlockLists...)
	h.Inbound.Validate(func(key, text, hint string) { f.add("host: "+key, text, hint) })
	validateIgnored(f, "host: ignore", h.Ignore)
	validateSlotNames(f, h.Slots)
	h.Update.validate(f, func(key string) string { return "host: " + key })
	h.Rotation.validate(f, h.Drain, func(key string) string { return "host: " + key })
	h.Defaults.validate(f, func(key string) string { return "host: " + key })
	if len(h.Addresses) == 0 {
		f.add("host: addresses", "are missing", "list the public addresses that this server sends from")
	}
	for _, a := range h.Addresses {
		if _, err := syntax.Address(a.String()); err != nil {
			f.bad("host: addresses", err)
		}
	}
}

// validate finds what a domain that begins with the defaults could not have.
func (def Defaults) validate(f *findingList, at func(string) string) {
	d := def.domain("a new one", time.Time{})
	checkNormal(f, at("selector"), d.Selector, syntax.Selector)
	if _, err := TTL(strconv.FormatUint(uint64(d.TTL), 10)); err != nil {
		f.bad(at("ttl"), err)
	}
	if _, err := KeyBits(strconv.Itoa(d.KeyBits)); err != nil {
		f.bad(at("key_bits"), err)
	}
	d.validateSPF(f, at)
	d.DMARC.validate(f, at)
}

func (d Domain) validateName(f *findingList) {
	checkNormal(f, "domain", d.Name, syntax.DomainName)
	if why := syntax.KeyNameFault(d.Selector, d.Name); why != "" {
		f.add(d.Name+": selector", fmt.Sprintf("%q %s", syntax.Clip(d.Selector), why), "choose a shorter selector")
	}
}

func (d Domain) validate(f *findingList) {
	at := func(key string) string { return d.Name + ": " + key }
	d.validateName(f)
	checkNormal(f, at("selector"), d.Selector, syntax.Selector)
	if _, err := KeyBits(strconv.Itoa(d.KeyBits)); err != nil {
		f.bad(at("key_bits"), err)
	}
	if _, err := TTL(strconv.FormatUint(uint64(d.TTL), 10)); err != nil {
		f.bad(at("ttl"), err)
	}
	if d.NewZone && len(d.NS) == 0 {
		f.add(at("ns"), "is empty, and a new zone needs a name server", "name this host, and the secondaries if there are any")
	}
	for _, name := range d.NS {
		checkNormal(f, at("ns"), name, syntax.Hostname)
	}
	for _, s := range d.KeepSelectors {
		checkNormal(f, at("keep_selectors"), s, syntax.Selector)
	}
	for _, kind := range d.Keep {
		checkNormal(f, at("keep"), kind, Kept)
	}
	if d.WildcardRecords != "" {
		checkNormal(f, at("wildcard_records"), d.WildcardRecords, WildcardRecords)
	}
	for _, sender := range d.Also {
		checkNormal(f, at("also"), sender, syntax.Sender)
	}
	validateIgnored(f, at("ignore"), d.Ignore)
	d.validateRole(f, at)
	d.Rotation.validate(f, d.Drain, at)
	if d.Repair != "" {
		checkNormal(f, at("repair"), d.Repair, Repair)
	}
	for _, identity := range d.Identities {
		checkNormal(f, at("identities"), identity, syntax.Identity)
	}
	if d.Partial && len(d.Also) == 0 && !d.Subdomains {
		f.add(at("partial"), "leaves nobody whose mail is signed", "name the senders in also")
	}
	d.Update.validate(f, at)
	d.validateSPF(f, at)
	d.DMARC.validate(f, at)
}

// validateRole finds what a domain of its role cannot have.
func (d Domain) validateRole(f *findingList, at func(string) string) {
	if d.Role != "" {
		checkNormal(f, at("role"), d.Role, Role)
	}
	receives := d.Role == ReceiveOnly
	switch {
	case d.Role == "":
	case receives && !d.Receive:
		f.add(at("role"), fmt.Sprintf("%q receives nothing with receive = false", d.Role), "write receive = true, or role = \"parked\"")
	case !receives && d.Receive:
		f.add(at("role"), fmt.Sprintf("%q does not receive, and receive = true", d.Role), "write receive = false, or leave role out")
	case !d.Sends() && (d.SPF.Redirect != "" || len(d.SPF.Include) > 0):
		f.add(at("role"), fmt.Sprintf("%q sends nothing, and [spf] has senders", d.Role), "empty include and redirect, or leave role out")
	}
}

func validateIgnored(f *findingList, field string, rules []ignore.Rule) {
	for _, r := range rules {
		if fault, bad := errors.AsType[*ignore.Fault](r.Validate()); bad {
			f.add(field, fault.Text, fault.Hint)
		}
	}
}

// validate finds spans that the files could not say.
func (r Rotation) validate(f *findingList, drain time.Duration, at func(string) string) {
	for _, s := range []struct {
		key   string
		span  time.Duration
		parse func(string) (time.Duration, error)
	}{{"drain", drain, Drain}, {"rotate_every", r.Every, RotateEvery}, {"lag", r.Lag, Lag}, {"revoke", r.Revoke, Revoke}} {
		if s.span == 0 { // as the host's, which most say
			continue
		}
		if got, err := s.parse(Span(s.span)); err != nil {
			f.bad(at(s.key), err)
		} else if got != s.span {
			f.add(at(s.key), fmt.Sprintf("%v is no span of whole seconds", s.span), "write it with a unit, as in \"14d\"")
		}
	}
}

func (u Update) validate(f *findingList, at func(string) string) {
	if u.Server != "" {
		checkNormal(f, at("rfc2136.server"), u.Server, syntax.UpdateServer)
	}
	if u.KeyFile != "" {
		checkNormal(f, at("rfc2136.key_file"), u.KeyFile, syntax.UpdateKey)
	}
	if u.Hook != "" {
		checkNormal(f, at("dns_hook"), u.Hook, syntax.Hook)
	}
}

func (d Domain) validateSPF(f *findingList, at func(string) string) {
	checkNormal(f, at("spf.all"), d.SPF.All, SPFAll)
	lookups := len(d.SPF.Include)
	if d.Receive {
		lookups++ // the mx mechanism
	}
	if lookups > maxLookups {
		f.add(at("spf.include"), fmt.Sprintf("makes %d DNS lookups, receivers stop at %d (RFC 7208 section 4.6.4)", lookups, maxLookups), "include fewer senders")
	}
	if d.SPF.Redirect == d.Name {
		f.add(at("spf.redirect"), "is the domain itself, which never ends", "leave it empty")
	}
	if d.SPF.Redirect != "" && len(d.SPF.Include) > 0 {
		f.add(at("spf.include"), fmt.Sprintf("does not count beside a redirect to %s", d.SPF.Redirect), "include them there, or leave the redirect out")
	}
	for _, name := range d.SPF.Include {
		checkNormal(f, at("spf.include"), name, syntax.SPFInclude)
		if name == d.Name {
			f.add(at("spf.include"), fmt.Sprintf("%q is the domain itself, which never ends", name), "leave it out")
		}
	}
}

func (p DMARC) validate(f *findingList, at func(string) string) {
	checkNormal(f, at("dmarc.policy"), p.Policy, DMARCPolicy)
	optional := func(key, value string, parse func(string) (string, error)) {
		if value != "" {
			checkNormal(f, at(key), value, parse)
		}
	}
	optional("dmarc.subdomain_policy", p.SubdomainPolicy, DMARCPolicy)
	optional("dmarc.adkim", p.ADKIM, Alignment)
	optional("dmarc.aspf", p.ASPF, Alignment)
	for _, uri := range p.RUA {
		checkNormal(f, at("dmarc.rua"), uri, syntax.Report)
	}
	for _, uri := range p.RUF {
		checkNormal(f, at("dmarc.ruf"), uri, syntax.Report)
	}
}

// checkNormal finds a value that its field does not accept, or writes differently.
func checkNormal[T ~string](f *findingList, field string, value T, parse func(T) (T, error)) {
	got, err := parse(value)
	switch {
	case err != nil:
		f.bad(field, err)
	case got != value:
		f.add(field, fmt.Sprintf("%q is not in its normal form", syntax.Clip(string(value))), fmt.Sprintf("write %q", string(got)))
	}
}

// sorted orders domains by name, as Spec promises.
func sorted(domains []Domain) []Domain {
	slices.SortFunc(domains, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	return domains
}
