package adopt

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// Answer completes an answer from the set-up: the domain, if none was named, its
// selector and its key length.
func (t *Setup) Answer(a spec.Answers, host string) (spec.Answers, error) {
	if t.SignsNothing() {
		return a, nil
	}
	if a.Domain == "" {
		a.Domain = t.nearest(host)
	}
	name := a.Domain
	if n, err := syntax.DomainName(name); err == nil {
		name = n
	}
	d := t.Domain(name)
	if d == nil {
		return a, t.checkUnsigned(name)
	}
	k := t.Keys[d.Name]
	if a.Selector != "" && !strings.EqualFold(a.Selector, k.Selector) {
		return a, hint.NewUsage("leave --selector out", "%s signs with selector %s already, and goes on to", d.Name, k.Selector)
	}
	a.Selector = d.Selector
	if d.KeyBits != 0 && a.KeyBits == "" {
		a.KeyBits = fmt.Sprint(d.KeyBits)
	}
	return a, nil
}

// checkUnsigned refuses a new domain whose mail is signed with the key of another
// domain of the set-up, which this run would end.
func (t *Setup) checkUnsigned(name string) error {
	for _, d := range t.Domains {
		if slices.Contains(d.Also, name) {
			return hint.NewUsage("mailsetup adopt takes over what is here as it is", "mail of %s is signed with the key of %s already", name, d.Name)
		}
	}
	return nil
}

// nearest returns the domain of the host name, or else the first one.
func (t *Setup) nearest(host string) string {
	for name := host; strings.Contains(name, "."); {
		if t.Domain(name) != nil {
			return name
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return t.Domains[0].Name
}

// primaryDomain returns the domain that signs the host's own mail. If the host name is
// in a domain of the set-up, it is not a new domain: receivers require alignment.
func (t *Setup) primaryDomain(h spec.Host, old *spec.Spec) string {
	if t.SignsNothing() {
		return h.Domain
	}
	in := func(domain string) bool { return dnsname.Within(h.Hostname, domain) }
	if p := t.nearest(h.Hostname); old == nil && in(p) && !in(h.Domain) {
		return p
	}
	return h.Domain
}

// AddDomains returns a spec with the set-up added: the domains that the spec does
// not have yet, with the answers about each, and the hosts and settings. Old is the
// spec of earlier runs, nil for none.
func (t *Setup) AddDomains(want spec.Spec, old *spec.Spec, answers []spec.Answers, now time.Time) (spec.Spec, error) {
	defaults := want.Host.Defaults
	want.Host.Defaults = spec.Defaults{} // for domains that are new; these were there
	want, findings := want.WithDomains(answers, now)
	want.Host.Defaults = defaults
	if err := findings.Err(); err != nil {
		return want, err
	}
	want.Host.Domain = t.primaryDomain(want.Host, old)
	want.Host.Trusted = appendMissing(want.Host.Trusted, t.Trusted)
	want.Host.OpenDKIM = appendMissing(want.Host.OpenDKIM, t.OpenDKIM)
	found := make(map[string]spec.Domain, len(t.Domains))
	for _, d := range t.Domains {
		found[d.Name] = d
	}
	for i := range want.Domains {
		w := &want.Domains[i]
		d, ok := found[w.Name]
		if !ok {
			continue
		}
		w.Also, w.Identities = appendMissing(w.Also, d.Also), appendMissing(w.Identities, d.Identities)
		w.Subdomains, w.Partial = w.Subdomains || d.Subdomains, d.Partial
		if d.KeyBits != 0 {
			w.KeyBits = d.KeyBits
		}
	}
	return want, want.Validate().Err()
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
