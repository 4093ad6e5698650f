package main

import (
	"cmp"
	"context"
	"strings"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
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
		if why := steps.Missing(flag, host, s.facts); why != "" && s.Image == nil {
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
	if err != nil || s.taken.Domain(domain) != nil {
		return a, nil // Spec reports it with everything else; the key is there already
	}
	k, resumes := s.resumable(domain)
	if resumes && (a.Selector == "" || strings.EqualFold(a.Selector, k.Selector)) {
		a.Selector = k.Selector
		return a, nil
	}
	selectors := s.selectors()
	if a.Selector == "" {
		a.Selector = selectors.Choose(ctx, domain, defaults(old).Selector)
		return a, nil
	}
	if sel, err := spec.Selector(a.Selector); err == nil && selectors.InUse(ctx, domain, sel) {
		why := "is in use already; a selector is never used twice"
		if target := selectors.Alias(ctx, domain, sel); target != "" {
			why = "is a CNAME of " + strings.TrimSuffix(target, ".") + " in DNS: no key can stand beside it"
		}
		return a, usage("leave --selector out to get one that is free", "selector %s of %s %s", sel, domain, why)
	}
	return a, nil
}

// selectors finds names for new keys.
func (s *session) selectors() dkimkeys.Selectors {
	list := dkimkeys.Selectors{Ledger: s.keys, Files: s.Sys, Zones: s.facts.Zones, Now: s.Now, Random: machine.Random}
	if s.o.root == "" {
		list.DNS = cmp.Or(s.asked, s.Resolver)
	}
	return list
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
