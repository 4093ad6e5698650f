package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
)

// complete turns the flags into answers that make a spec: a person is asked
// where one is there, what was found fills the rest.
func (s *session) complete(ctx context.Context, a spec.Answers, old *spec.Spec) (spec.Answers, error) {
	if s.asks() && !old.Has(a.Domain) {
		asked, err := wizard.Ask(ctx, beginning(s.wizard(known(a, old)), defaults(old)))
		if err != nil {
			return a, err
		}
		a = asked
	}
	a = s.found(a, old)
	flags := a.Missing(old)
	if !s.o.yes && !s.o.dryRun && !s.c.interactive && s.o.root == "" {
		flags = append(flags, "--yes")
	}
	if len(flags) > 0 {
		return a, s.missing(flags, normal(a.Hostname, spec.Hostname))
	}
	return s.selector(ctx, a, old)
}

// missing names the flags that nobody gave and that the machine and DNS do not
// answer, and says why they do not.
func (s *session) missing(flags []string, host string) error {
	hints := []string{"run mailsetup init in a terminal to be asked instead"}
	for _, flag := range flags {
		if why := steps.Missing(flag, host, s.facts); why != "" && s.image == nil {
			hints = append(hints, why)
		}
	}
	return usage(strings.Join(hints, "\n"), "needed without a terminal and not given: %s", strings.Join(flags, ", "))
}

// known adds to the flags what the spec says of the host: a second domain on
// the same server has no questions about the server.
func known(a spec.Answers, old *spec.Spec) spec.Answers {
	if old == nil {
		return a
	}
	h := old.Host
	a.Hostname = first(a.Hostname, h.Hostname)
	a.DNS = first(a.DNS, string(h.DNS))
	a.RootAlias = first(a.RootAlias, h.RootAlias)
	a.MilterDefaultAction = first(a.MilterDefaultAction, h.MilterDefaultAction)
	if len(a.Addresses) == 0 {
		for _, addr := range h.Addresses {
			a.Addresses = append(a.Addresses, addr.String())
		}
	}
	return a
}

// asks reports whether a person answers questions in this run.
func (s *session) asks() bool { return s.c.interactive && !s.o.yes && !s.o.json }

// found fills what nobody answered and the old spec does not know from the
// machine and from DNS.
func (s *session) found(a spec.Answers, old *spec.Spec) spec.Answers {
	if old.Has(a.Domain) {
		return a
	}
	p := s.proposals(a)
	if old == nil {
		fill(&a.Hostname, p.Hostname)
		fill(&a.DNS, p.DNS)
		if len(a.Addresses) == 0 {
			a.Addresses = strings.Fields(p.Addresses.Value)
		}
	}
	fill(&a.Receive, p.Receive)
	if domain, err := spec.DomainName(a.Domain); err == nil {
		flags := len(a.SPFInclude)
		a, _ = steps.Adopt(a, s.facts, domain)
		if flags == 0 && len(a.SPFInclude) > 0 { // who sends for every domain sends for one that has others, too
			a.SPFInclude = union(a.SPFInclude, defaults(old).SPF.Include)
		}
	}
	return a
}

// defaults are those of the host for new domains.
func defaults(old *spec.Spec) spec.Defaults {
	if old == nil {
		return spec.Defaults{}
	}
	return old.Host.Defaults
}

func fill(answer *string, p wizard.Proposal) {
	if *answer == "" {
		*answer = p.Value
	}
}

// selector chooses a name for a new domain's key that nobody uses yet: not in
// the ledger, not on the disk, not in DNS, where a second server of the domain
// may have published one this month.
func (s *session) selector(ctx context.Context, a spec.Answers, old *spec.Spec) (spec.Answers, error) {
	if old.Has(a.Domain) {
		return a, nil
	}
	domain, err := spec.DomainName(a.Domain)
	if err != nil || s.taken.domain(domain) != nil {
		return a, nil // Spec reports it with everything else; the key is there already
	}
	if a.Selector == "" {
		a.Selector = s.freeSelector(ctx, domain)
		return a, nil
	}
	if sel, err := spec.Selector(a.Selector); err == nil && s.selectorTaken(ctx, domain, sel) {
		why := "is in use already; a selector is never used twice"
		if target := s.aliasAt(ctx, sel+"._domainkey."+domain+"."); target != "" {
			why = "is a CNAME of " + strings.TrimSuffix(target, ".") + " in DNS: no key can stand beside it"
		}
		return a, usage("leave --selector out to get one that is free", "selector %s of %s %s", sel, domain, why)
	}
	return a, nil
}

// aliasAt is the target of a CNAME at a name that DNS has, "" for none.
func (s *session) aliasAt(ctx context.Context, name string) string {
	var found []state.Record
	for _, z := range s.facts.Zones {
		found = append(found, z.Records...)
	}
	if s.o.root == "" {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		there, _, _ := s.resolver.Lookup(ctx, name, "CNAME") // without an answer it is in use all the same
		found = append(found, there...)
	}
	i := slices.IndexFunc(found, func(r state.Record) bool { return r.Type == "CNAME" && strings.EqualFold(r.Name, name) })
	if i < 0 {
		return ""
	}
	return found[i].Value
}

// freeSelector is the month, with a random tail where that is taken.
func (s *session) freeSelector(ctx context.Context, domain string) string {
	taken := func(selector string) bool { return s.selectorTaken(ctx, domain, selector) }
	return keyring.Choose(s.now, taken, s.random)
}

func (s *session) selectorTaken(ctx context.Context, domain, selector string) bool {
	if s.keys.Used(domain, selector) {
		return true
	}
	if o, err := s.sys.Read(steps.KeyFile(domain, selector)); err != nil || o.Kind != state.Absent {
		return true
	}
	name := selector + "._domainkey." + domain + "."
	for _, z := range s.facts.Zones {
		if strings.HasSuffix(name, z.Origin) && slices.ContainsFunc(z.Records, func(r state.Record) bool { return strings.EqualFold(r.Name, name) }) {
			return true
		}
	}
	return s.o.root == "" && s.published(ctx, name)
}

// firstSelector names the first key of a domain. A spec that came without its
// ledger (another machine's, from configuration management or an image) may
// name a selector that is that machine's.
func (s *session) firstSelector(ctx context.Context, d spec.Domain, old *spec.Spec) string {
	taken := func(selector string) bool { return s.selectorTaken(ctx, d.Name, selector) }
	if !old.Has(d.Name) || !taken(d.Selector) {
		return d.Selector
	}
	return keyring.Choose(s.now, taken, s.random)
}

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
	if s.taken.domain(domain) != nil && !s.hasMX(domain) {
		p.Receive = wizard.Proposal{Value: "no", Why: "it has no MX, and sends mail already"}
	}
	there, says := steps.Adopt(spec.Answers{}, s.facts, domain)
	p.SPFAll = wizard.Proposal{Value: there.SPFAll, Why: says.SPF}
	p.SPFInclude = wizard.Proposal{Value: strings.Join(there.SPFInclude, " "), Why: says.SPF}
	p.DMARC = wizard.Proposal{Value: there.DMARC, Why: says.DMARC}
	return p
}

// beginning proposes what the host says of new domains.
func beginning(o wizard.Options, d spec.Defaults) wizard.Options {
	propose := o.Propose
	o.Propose = func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
		p, err := propose(ctx, a)
		usual(&p, d)
		return p, err
	}
	return o
}

// usual puts the host's defaults where nothing was found.
func usual(p *wizard.Proposals, d spec.Defaults) {
	const why = "the default in host.toml"
	offer := func(at *wizard.Proposal, value string) {
		if at.Value == "" && value != "" {
			*at = wizard.Proposal{Value: value, Why: why}
		}
	}
	if d.KeyBits != 0 {
		offer(&p.KeyBits, strconv.Itoa(d.KeyBits))
	}
	offer(&p.SPFAll, d.SPF.All)
	offer(&p.DMARC, d.DMARC.Policy)
	p.SPFInclude.Value = strings.Join(union(strings.Fields(p.SPFInclude.Value), d.SPF.Include), " ")
}

// normal is a name as facts are keyed by it. A wrong one is reported later,
// with everything else.
func normal(name string, parse func(string) (string, error)) string {
	if n, err := parse(name); err == nil {
		return n
	}
	return name
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func parent(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	if !strings.Contains(rest, ".") {
		return host
	}
	return rest
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
	if s.image != nil {
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
		lines = append(lines, "OpenDKIM signs for "+strings.Join(firstOf(s.taken.names(), 3), ", ")+": taken over as it is, keys and all")
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
