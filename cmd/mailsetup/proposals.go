package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
)

// proposals are what the wizard proposes, and what --yes accepts.
func (s *session) proposals(a spec.Answers) wizard.Proposals {
	host := first(normal(a.Hostname, spec.Hostname), s.facts.FQDN)
	domain := first(normal(a.Domain, spec.DomainName), parent(host))
	p := wizard.Proposals{
		Domain:   wizard.Proposal{Value: domain, Why: "the host name without its first label"},
		Hostname: wizard.Proposal{Value: s.facts.FQDN, Why: "this machine's own name"},
		BIND:     s.facts.DNS == state.BIND,
		Found:    s.foundLines(),
	}
	if addrs := s.public(host); len(addrs) > 0 {
		p.Addresses = wizard.Proposal{Value: strings.Join(addrs, " "), Why: "what DNS says of " + host}
	}
	p.ZoneServed = s.serves(domain)
	p.ZoneShut = slices.ContainsFunc(s.facts.Zones, func(z state.Zone) bool { return z.Problem != "" && z.Holds(domain+".") })
	p.DNS = wizard.Proposal{Value: string(spec.DNSManual), Why: s.whyManual(domain)}
	if p.ZoneServed || a.NewZone == "yes" || s.unusable(domain) {
		p.DNS = wizard.Proposal{Value: string(spec.DNSBind), Why: "BIND serves " + domain + " here"}
	}
	p.Receive = s.receives(domain, host, first(strings.Fields(p.Addresses.Value)...))
	if s.taken.Domain(domain) != nil && !s.hasMX(domain) {
		p.Receive = wizard.Proposal{Value: "no", Why: "it has no MX, and sends mail already"}
	}
	there, says := steps.Adopt(spec.Answers{}, s.facts, domain)
	p.SPFAll = wizard.Proposal{Value: there.SPFAll, Why: says.SPF}
	p.SPFInclude = wizard.Proposal{Value: strings.Join(there.SPFInclude, " "), Why: says.SPF}
	p.DMARC = wizard.Proposal{Value: there.DMARC, Why: says.DMARC}
	return p
}

// beginning proposes what the host says of new domains.
func (s *session) beginning(o wizard.Options, old *spec.Spec) wizard.Options {
	propose := o.Propose
	o.Propose = func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
		p, err := propose(ctx, a)
		d := defaults(old)
		if domain, invalid := spec.DomainName(a.Domain); invalid == nil && d.Selector != "" && err == nil {
			p.Selector.Value = s.selectors().Choose(ctx, domain, d.Selector)
		}
		p.SPFRedirect = leaning(a, p, old)
		usual(&p, d)
		return p, err
	}
	return o
}

const byDefault = "the default in host.toml"

// leaning is the domain whose SPF record is to decide for a new one: the host's
// first if the flag says so; that of host.toml where nobody, and no record that
// is there, says anything about one of its own.
func leaning(a spec.Answers, p wizard.Proposals, old *spec.Spec) wizard.Proposal {
	redirect := defaults(old).SPF.Redirect
	switch {
	case old != nil && a.SPFRedirect == "yes":
		return wizard.Proposal{Value: old.Host.Domain, Why: "as you asked"}
	case a.SPFRedirect == "no" || redirect == normal(a.Domain, spec.DomainName):
	case redirect != "" && a.SPFAll+strings.Join(a.SPFInclude, "")+p.SPFAll.Value+p.SPFInclude.Value == "":
		return wizard.Proposal{Value: redirect, Why: byDefault}
	}
	return wizard.Proposal{}
}

// usual puts the host's defaults where nothing was found.
func usual(p *wizard.Proposals, d spec.Defaults) {
	offer := func(at *wizard.Proposal, value string) {
		if at.Value == "" && value != "" {
			*at = wizard.Proposal{Value: value, Why: byDefault}
		}
	}
	if d.KeyBits != 0 {
		offer(&p.KeyBits, strconv.Itoa(d.KeyBits))
	}
	offer(&p.SPFAll, d.SPF.All)
	offer(&p.DMARC, d.DMARC.Policy)
	p.SPFInclude.Value = strings.Join(union(strings.Fields(p.SPFInclude.Value), d.SPF.Include), " ")
}

// defaults are those of the host for new domains.
func defaults(old *spec.Spec) spec.Defaults {
	if old == nil {
		return spec.Defaults{}
	}
	return old.Host.Defaults
}

// public are the addresses of the host name in DNS that could be seen from
// outside. An interface's address is never guessed into DNS: behind NAT it is
// a private one.
func (s *session) public(host string) []string {
	var addrs []string
	for _, a := range s.facts.Live[host].Addresses {
		if public(a) {
			addrs = append(addrs, a.String())
		}
	}
	return addrs
}

func public(a netip.Addr) bool {
	_, err := spec.Address(a.String())
	return err == nil
}

// whyManual says why the records are printed.
func (s *session) whyManual(domain string) string {
	if s.facts.DNS != state.BIND && s.facts.DNS != state.NoDNSServer {
		return s.facts.DNS.Title() + " answers DNS here, not BIND"
	}
	for _, z := range s.facts.Zones {
		if z.Problem != "" && z.Holds(domain+".") {
			return "zone " + strings.TrimSuffix(z.Origin, ".") + ": " + z.Problem
		}
	}
	return "no zone of this machine's BIND holds " + domain
}

// serves reports whether the BIND of this machine is primary for the domain.
func (s *session) serves(domain string) bool {
	return slices.ContainsFunc(s.facts.Zones, func(z state.Zone) bool {
		return z.Problem == "" && z.Holds(domain+".")
	})
}

// unusable reports whether this machine's BIND is primary for the domain, or
// may be, but its zone cannot be worked with. Nobody chose another way for the
// records then: the plan is refused, and says what is wrong with the zone.
func (s *session) unusable(domain string) bool {
	return slices.ContainsFunc(s.facts.Zones, func(z state.Zone) bool {
		return z.Problem != "" && z.Holds(domain+".") && (z.Kind == "primary" || z.Kind == "")
	})
}

// receives proposes an answer from the domain's MX: ours if it names this
// host, none of our business if it names another one.
func (s *session) receives(domain, host, address string) wizard.Proposal {
	live := s.facts.Live[domain]
	mx := slices.Clone(live.MX)
	for _, z := range s.facts.Zones {
		for _, r := range z.Records {
			if r.Type == "MX" && strings.EqualFold(r.Name, domain+".") {
				mx = append(mx, r.Value[strings.LastIndexByte(r.Value, ' ')+1:])
			}
		}
	}
	switch {
	case len(mx) == 0 && (live.Asked || s.serves(domain)):
		return wizard.Proposal{Value: "yes", Why: "the domain has no MX yet"}
	case len(mx) == 0:
		return wizard.Proposal{Value: "no", Why: "the domain's MX could not be looked up"}
	}
	for _, name := range mx {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if name == host || s.resolvesTo(name, address) {
			return wizard.Proposal{Value: "yes", Why: "the domain's MX is this server"}
		}
	}
	return wizard.Proposal{Value: "no", Why: "the domain's MX is " + strings.TrimSuffix(mx[0], ".")}
}

// hasMX reports whether a domain has a mail exchanger, as far as that is known.
func (s *session) hasMX(domain string) bool {
	return len(s.facts.Live[domain].MX) > 0 || slices.ContainsFunc(s.facts.Zones, func(z state.Zone) bool {
		return slices.ContainsFunc(z.Records, func(r state.Record) bool {
			return r.Type == "MX" && strings.EqualFold(r.Name, domain+".")
		})
	})
}

func (s *session) resolvesTo(name, address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && slices.Contains(s.facts.Live[name].Addresses, a)
}

// inPlaceOf names the mail server that Postfix replaces.
func (s *session) inPlaceOf() string {
	o := s.facts.OtherMTA
	switch {
	case o == nil:
		return ""
	case o.Queue == 0:
		return " in the place of " + o.Package + ", if you agree"
	}
	return fmt.Sprintf(" in the place of %s, if you agree; messages in its queue: %d", o.Package, o.Queue)
}

// foundLines tell the person at the wizard what was found.
func (s *session) foundLines() []string {
	f := s.facts
	var lines []string
	if f.Release.Pretty != "" {
		lines = append(lines, f.Release.Pretty)
	}
	if s.Image != nil {
		return append(lines, "a tree below "+s.o.root+": files only, nothing is installed or started")
	}
	if f.Postfix != nil {
		lines = append(lines, "Postfix "+f.Postfix.Version+" is installed; the signer is added to its settings")
	} else {
		lines = append(lines, "Postfix will be installed"+s.inPlaceOf())
	}
	switch {
	case f.OpenDKIM == nil:
		lines = append(lines, "OpenDKIM will be installed")
	case s.taken != nil:
		lines = append(lines, "OpenDKIM signs for "+strings.Join(firstOf(s.taken.Names(), 3), ", ")+": taken over as it is, keys and all")
	}
	if here := f.Addresses; len(here) > 0 && !slices.ContainsFunc(here, public) {
		lines = append(lines, fmt.Sprintf("this machine has only %s, which is private: behind NAT", here[0]))
	}
	if f.DNS != state.NoDNSServer {
		lines = append(lines, "this machine answers DNS: "+string(f.DNS))
	}
	return lines
}

// firstOf are the first of many, and how many more there are.
func firstOf(names []string, n int) []string {
	if len(names) <= n {
		return names
	}
	return append(slices.Clone(names[:n]), fmt.Sprintf("%d more", len(names)-n))
}
