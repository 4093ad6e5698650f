package main

import (
	"context"
	"slices"
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
		asked, err := wizard.Ask(ctx, s.beginning(s.wizard(known(a, old)), old))
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
	k, resumes := s.resumable(domain)
	if resumes && (a.Selector == "" || strings.EqualFold(a.Selector, k.Selector)) {
		a.Selector = k.Selector
		return a, nil
	}
	if a.Selector == "" {
		a.Selector = s.newSelector(ctx, domain, defaults(old).Selector)
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

// newSelector is the one that the host's new domains begin with, if there is one
// and this domain does not use it yet.
func (s *session) newSelector(ctx context.Context, domain, usual string) string {
	if usual != "" && !s.selectorTaken(ctx, domain, usual) {
		return usual
	}
	return s.freeSelector(ctx, domain)
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
