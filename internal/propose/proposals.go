package propose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/adopt"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
)

// Basis is what answers are derived from.
type Basis struct {
	Facts   state.Facts
	Spec    *spec.Spec   // of earlier runs, nil for none
	Adopted *adopt.Setup // nil for none
	Root    string       // the directory that stands for the machine, "" for none
	// ReplaceMTA: Postfix may take the place of another mail server.
	ReplaceMTA bool
}

// Proposals returns what the wizard proposes, given the answers so far.
func (b *Basis) Proposals(a spec.Answers) wizard.Proposals {
	host := cmp.Or(normalized(a.Hostname, syntax.Hostname), b.Facts.FQDN)
	domain := cmp.Or(normalized(a.Domain, syntax.DomainName), parent(host))
	p := wizard.Proposals{
		Domain:   wizard.Proposal{Value: domain, Why: "the host name without its first label"},
		Hostname: wizard.Proposal{Value: b.Facts.FQDN, Why: "this machine's own name"},
		MTA:      b.mta(),
		BIND:     b.Facts.DNS == state.BIND,
	}
	p.Found = b.findings(cmp.Or(a.MTA, p.MTA.Value))
	if addrs := b.publicAddresses(host); len(addrs) > 0 {
		p.Addresses = wizard.Proposal{Value: strings.Join(addrs, " "), Why: "what DNS says of " + host}
	}
	p.ZoneServed = b.Facts.Serves(domain)
	_, p.ZoneUnusable = b.unusableZone(domain)
	p.DNS = wizard.Proposal{Value: string(spec.DNSManual), Why: b.whyManual(domain)}
	if p.ZoneServed || a.NewZone == "yes" || b.zoneUnusable(domain) {
		p.DNS = wizard.Proposal{Value: string(spec.DNSBind), Why: "BIND serves " + domain + " here"}
	}
	p.Receive = b.receive(domain, host, strings.Fields(p.Addresses.Value))
	if b.Adopted.Domain(domain) != nil && !b.hasMX(domain) {
		p.Receive = wizard.Proposal{Value: "no", Why: "it has no MX, and sends mail already"}
	}
	there, source := FromRecords(spec.Answers{}, b.Facts, domain)
	p.SPFAll = wizard.Proposal{Value: there.SPFAll, Why: source.SPF}
	p.SPFInclude = wizard.Proposal{Value: strings.Join(there.SPFInclude, " "), Why: source.SPF}
	p.DMARC = wizard.Proposal{Value: there.DMARC, Why: source.DMARC}
	return p
}

// hostMTA returns the mail server of earlier runs, "" for Postfix.
func (b *Basis) hostMTA() string {
	if b.Spec == nil {
		return ""
	}
	return b.Spec.Host.MTA
}

// mta proposes the exim4 that is this machine's mail server, and nothing where no other
// than Postfix comes into question. An OpenDKIM that is here works for Postfix alone.
func (b *Basis) mta() wizard.Proposal {
	f := &b.Facts
	if b.Spec != nil || b.Root != "" || b.ReplaceMTA || f.Exim == nil || f.OpenDKIM != nil || f.Installed["postfix"] {
		return wizard.Proposal{}
	}
	return wizard.Proposal{Value: spec.Exim, Why: "it is this machine's mail server"}
}

const fromHost = "the default in host.toml"

// addDefaults proposes the defaults of host.toml where nothing was found.
func (b *Basis) addDefaults(p *wizard.Proposals, a spec.Answers) {
	p.SPFRedirect = b.spfRedirect(a, *p)
	offer := func(at *wizard.Proposal, value string) {
		if at.Value == "" && value != "" {
			*at = wizard.Proposal{Value: value, Why: fromHost}
		}
	}
	d := b.defaults()
	if d.KeyBits != 0 {
		offer(&p.KeyBits, strconv.Itoa(d.KeyBits))
	}
	offer(&p.SPFAll, d.SPF.All)
	offer(&p.DMARC, d.DMARC.Policy)
	p.SPFInclude.Value = strings.Join(appendMissing(strings.Fields(p.SPFInclude.Value), d.SPF.Include), " ")
}

// spfRedirect proposes the domain whose SPF record decides for a new one: the domain of
// the flag; else that of host.toml, if neither a person nor an existing record says
// anything about a record of its own.
func (b *Basis) spfRedirect(a spec.Answers, p wizard.Proposals) wizard.Proposal {
	redirect := b.defaults().SPF.Redirect
	switch {
	case b.Spec != nil && a.SPFRedirect == "yes":
		return wizard.Proposal{Value: b.Spec.Host.Domain, Why: "as you asked"}
	case a.SPFRedirect == "no" || redirect == normalized(a.Domain, syntax.DomainName):
	case redirect != "" && a.SPFAll+strings.Join(a.SPFInclude, "")+p.SPFAll.Value+p.SPFInclude.Value == "":
		return wizard.Proposal{Value: redirect, Why: fromHost}
	}
	return wizard.Proposal{}
}

// defaults returns the host's defaults for new domains.
func (b *Basis) defaults() spec.Defaults {
	if b.Spec == nil {
		return spec.Defaults{}
	}
	return b.Spec.Host.Defaults
}

// whyManual returns why the records are printed.
func (b *Basis) whyManual(domain string) string {
	if b.Facts.DNS != state.BIND && b.Facts.DNS != state.NoDNSServer {
		return b.Facts.DNS.Title() + " answers DNS here, not BIND"
	}
	if z, found := b.unusableZone(domain); found {
		return z.Trouble()
	}
	return "no zone of this machine's BIND holds " + domain
}

// zoneUnusable reports whether this machine's BIND is, or may be, primary for the
// domain with a zone that cannot be edited. Nothing else is proposed then: the plan is
// refused, with what is wrong with the zone.
func (b *Basis) zoneUnusable(domain string) bool {
	for z := range b.Facts.Zones.Holding(domain + ".") {
		if z.Problem != "" && (z.Kind == "primary" || z.Kind == "") {
			return true
		}
	}
	return false
}

// unusableZone returns a zone of a domain that cannot be edited.
func (b *Basis) unusableZone(domain string) (state.Zone, bool) {
	for z := range b.Facts.Zones.Holding(domain + ".") {
		if z.Problem != "" {
			return z, true
		}
	}
	return state.Zone{}, false
}

// receive proposes whether the server receives the domain's mail: it does if the
// domain's MX names it, and not if the MX names another one. Without an MX a further
// domain is received if Postfix takes its mail. Addresses are those of
// the host, of which the first counts.
func (b *Basis) receive(domain, host string, addresses []string) wizard.Proposal {
	mx := b.exchangers(domain)
	switch {
	case b.Spec != nil && b.Spec.Host.SendOnly:
		return wizard.Proposal{Value: "no", Why: "this server only sends"}
	case len(mx) == 0 && b.refusesMail(domain) != "":
		return wizard.Proposal{Value: "no", Why: b.refusesMail(domain)}
	case len(mx) == 0 && (b.Facts.Live[domain].Asked || b.Facts.Serves(domain)):
		return wizard.Proposal{Value: "yes", Why: "the domain has no MX yet"}
	case len(mx) == 0:
		return wizard.Proposal{Value: "no", Why: "the domain's MX could not be looked up"}
	}
	for _, name := range mx {
		name = strings.ToLower(dnsname.TrimDot(name))
		if name == host || len(addresses) > 0 && b.resolvesTo(name, addresses[0]) {
			return wizard.Proposal{Value: "yes", Why: "the domain's MX is this server"}
		}
	}
	return wizard.Proposal{Value: "no", Why: "the domain's MX is " + dnsname.TrimDot(mx[0])}
}

// refusesMail says why mail for a further domain of a server would come here in vain, ""
// if it would not. For the first one the server is being set up.
func (b *Basis) refusesMail(domain string) string {
	d, known := b.Facts.MailDomains[domain]
	switch {
	case b.Spec == nil || !known:
	case d.Unknown != "":
		return "whether Postfix takes mail for it could not be found out"
	case d.Class == state.ClassDefault:
		return "it has no MX, and Postfix does not take mail for it"
	}
	return ""
}

// exchangers returns the hosts of the domain's MX records, in DNS and in its zone here.
func (b *Basis) exchangers(domain string) []string {
	mx := slices.Clone(b.Facts.Live[domain].MX)
	for z := range b.Facts.Zones.Above(domain + ".") {
		for _, r := range z.Records {
			if r.Type == "MX" && dnsname.Same(r.Name, domain) {
				mx = append(mx, r.Value[strings.LastIndexByte(r.Value, ' ')+1:])
			}
		}
	}
	return mx
}

// hasMX reports whether a domain has an MX record, as far as is known.
func (b *Basis) hasMX(domain string) bool { return len(b.exchangers(domain)) > 0 }

func (b *Basis) resolvesTo(name, address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && slices.Contains(b.Facts.Live[name].Addresses, a)
}

// findings returns what was found on the machine, for the person at the wizard.
func (b *Basis) findings(mta string) []string {
	f := &b.Facts
	var lines []string
	if f.Release.Pretty != "" {
		lines = append(lines, f.Release.Pretty)
	}
	if b.Root != "" {
		return append(lines, "a tree below "+b.Root+": files only, nothing is installed or started")
	}
	if mta == spec.Exim {
		return append(lines, b.eximFindings()...)
	}
	if f.Postfix != nil {
		lines = append(lines, "Postfix "+f.Postfix.Version+" is installed; the signer is added to its settings")
	} else {
		lines = append(lines, "Postfix will be installed"+inPlaceOf(f.OtherMTA))
	}
	switch {
	case f.OpenDKIM == nil && b.Adopted != nil:
		lines = append(lines, "OpenDKIM will be installed, and signs for "+strings.Join(firstOf(b.Adopted.Names(), 3), ", ")+" with the keys of exim4")
	case f.OpenDKIM == nil:
		lines = append(lines, "OpenDKIM will be installed")
	case b.Adopted.SignsNothing():
		lines = append(lines, "OpenDKIM was set up by hand and signs nothing: its settings stay, and it signs from then on")
	case b.Adopted != nil:
		lines = append(lines, "OpenDKIM signs for "+strings.Join(firstOf(b.Adopted.Names(), 3), ", ")+": taken over as it is, keys and all")
	}
	if here := f.Addresses; len(here) > 0 && !slices.ContainsFunc(here, isPublic) {
		lines = append(lines, fmt.Sprintf("this machine has only %s, which is private: behind NAT", here[0]))
	}
	if f.DNS != state.NoDNSServer {
		lines = append(lines, "this machine answers DNS: "+string(f.DNS))
	}
	return lines
}

// eximFindings returns what was found of exim4.
func (b *Basis) eximFindings() []string {
	e := b.Facts.Exim
	if e == nil {
		return []string{"exim4 will be installed, and signs what it sends"}
	}
	layout := map[bool]string{true: "split", false: "not split"}[e.Split]
	found := []string{fmt.Sprintf("exim4 %s is installed (%s, %s); signing is added to its settings", e.Version, e.Type, layout)}
	if b.Adopted != nil {
		found = append(found, "exim4 signs for "+strings.Join(firstOf(b.Adopted.Names(), 3), ", ")+": taken over as it is, keys and all")
	}
	return found
}

// inPlaceOf names the mail server that Postfix replaces.
func inPlaceOf(o *state.OtherMTA) string {
	switch {
	case o == nil:
		return ""
	case o.Queue == 0:
		return " in the place of " + o.Package + ", if you agree"
	}
	return fmt.Sprintf(" in the place of %s, if you agree; messages in its queue: %d", o.Package, o.Queue)
}

// firstOf lists the first names of many, and how many more there are.
func firstOf(names []string, n int) []string {
	if len(names) <= n {
		return names
	}
	return append(slices.Clone(names[:n]), fmt.Sprintf("%d more", len(names)-n))
}

// normalized returns a name in the form of keys of facts. An invalid one is reported
// later, with everything else.
func normalized(name string, parse func(string) (string, error)) string {
	if n, err := parse(name); err == nil {
		return n
	}
	return name
}

// parent returns the domain above a host, or the host itself where only a
// top-level domain is above it.
func parent(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	if !strings.Contains(rest, ".") {
		return host
	}
	return rest
}

// appendMissing returns a list with the items of another that it does not have.
func appendMissing(list, more []string) []string {
	out := slices.Clone(list)
	for _, item := range more {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}
