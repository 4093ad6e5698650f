package provision

import (
	"slices"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
	"mailsetup/steps/step"
)

// Removal names the domains to remove.
type Removal struct {
	Domains []string
	Purge   bool   // withdraw their keys at once, and not when mail under way no longer needs them
	Machine string // what messages call the machine: "server" or "tree"
}

// Request returns the request that removes the domains from the spec, without facts.
// Before are domains that an earlier run removed and whose keys drain: nothing is to be
// done for them. The scope is empty if all are.
func (x Removal) Request(have spec.Spec, ledger keyring.Ledger) (r Request, before []string, err error) {
	if err := x.check(have, ledger); err != nil {
		return Request{}, nil, err
	}
	r = Request{Want: have.Without(x.Domains...), Have: &have, Advice: true, Keys: KeyPlan{Ledger: ledger, Withdraw: map[string][]string{}}}
	for _, d := range have.Domains {
		if slices.Contains(x.Domains, d.Name) {
			r.Removed = append(r.Removed, d)
		}
	}
	about := x.Domains
	if x.Purge {
		for _, name := range x.Domains {
			for _, k := range keyring.Existing(ledger[name]) {
				r.Keys.Withdraw[name] = append(r.Keys.Withdraw[name], k.Selector)
			}
		}
	} else {
		about = nil
		for _, name := range x.Domains {
			if _, signs := ledger.Signing(name); signs || have.Has(name) {
				about = append(about, name)
			} else {
				before = append(before, name)
			}
		}
	}
	r.Scope = step.Only(about...)
	if slices.Contains(about, have.Host.Hostname) { // the host's own records take the place of that domain's
		r.Scope = r.Scope.With(have.Host.Domain)
	}
	return r, before, r.Want.Validate().Err()
}

// check refuses unknown domains, and those that others depend on.
func (x Removal) check(have spec.Spec, ledger keyring.Ledger) error {
	unknown := slices.DeleteFunc(slices.Clone(x.Domains), func(name string) bool {
		return have.Has(name) || len(keyring.Existing(ledger[name])) > 0
	})
	switch {
	case len(unknown) > 0:
		return hint.NewUsage("mailsetup list shows those of this "+x.Machine, "no domain of this %s: %s", x.Machine, text.List(unknown, 10))
	case slices.Contains(x.Domains, have.Host.Domain):
		return hint.NewUsage("write another one into domain = in "+string(spec.HostFile)+", run mailsetup init, then remove this one",
			"%s is the primary domain, with whose key the mail of this %s itself is signed", have.Host.Domain, x.Machine)
	}
	for _, d := range have.Domains {
		if slices.Contains(x.Domains, d.SPF.Redirect) && !slices.Contains(x.Domains, d.Name) {
			return hint.NewUsage("mailsetup init --domain "+d.Name+" --spf-redirect=false",
				"the SPF record of %s is that of %s", d.Name, d.SPF.Redirect)
		}
	}
	return nil
}
