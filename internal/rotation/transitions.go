package rotation

import (
	"maps"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// Transitions are the steps that keys take in one run, by domain.
type Transitions map[string][]keyring.Transition

// Domains returns the domains, sorted.
func (t Transitions) Domains() []string { return slices.Sorted(maps.Keys(t)) }

// Only returns the transitions of some of the domains.
func (t Transitions) Only(domains []string) Transitions {
	some := Transitions{}
	for _, d := range domains {
		if len(t[d]) > 0 {
			some[d] = t[d]
		}
	}
	return some
}

// maxPlanned is how many domains are in one plan, which has the texts of their zones, keys
// and ledgers in memory: some 20 KB each.
const maxPlanned = 1000

// parts splits the transitions into those of at most n domains. The first part has, beside
// these, all that sign with another key, since OpenDKIM is reloaded once.
func (t Transitions) parts(n int) []Transitions {
	parts, others := []Transitions{{}}, 0
	for _, domain := range t.Domains() {
		if activates(t[domain]) {
			parts[0][domain] = t[domain]
			continue
		}
		if others > 0 && others%n == 0 {
			parts = append(parts, Transitions{})
		}
		parts[len(parts)-1][domain] = t[domain]
		others++
	}
	return parts
}

// activates reports whether another key signs after steps.
func activates(moves []keyring.Transition) bool {
	return slices.ContainsFunc(moves, func(m keyring.Transition) bool { return m.Action == keyring.Activate })
}

// Generates reports whether the domain gets a new key.
func (t Transitions) Generates(domain string) bool {
	return slices.ContainsFunc(t[domain], func(m keyring.Transition) bool { return m.Action == keyring.Generate })
}

// Withdrawn returns the keys whose records and private keys go: selectors, by
// domain.
func (t Transitions) Withdrawn() map[string][]string {
	list := map[string][]string{}
	for domain, moves := range t {
		for _, m := range moves {
			if m.Action == keyring.Withdraw {
				list[domain] = append(list[domain], m.Selector)
			}
		}
	}
	return list
}

// Keys returns the ledger after the run, except for keys that it makes or withdraws,
// and during the run until they are proven.
func (t Transitions) Keys(before keyring.Ledger, now time.Time) (after, during keyring.Ledger) {
	after, during = maps.Clone(before), maps.Clone(before)
	for domain, moves := range t {
		for _, m := range moves {
			switch m.Action {
			case keyring.Generate, keyring.Withdraw:
			case keyring.ConfirmPublished, keyring.LostPublished:
				during[domain] = keyring.Apply(during[domain], m, now)
				after[domain] = keyring.Apply(after[domain], m, now)
			default:
				after[domain] = keyring.Apply(after[domain], m, now)
			}
		}
	}
	return after, during
}

// Steps returns the steps of the run. They publish nothing if the administrator
// publishes the records.
func (t Transitions) Steps(sp spec.Spec, ledger keyring.Ledger) []step.Step {
	var all []keyring.Transition
	for domain, moves := range t {
		manual := sp.DNSOf(domainNamed(sp, domain)) == spec.DNSManual
		for _, m := range moves {
			i := keyring.Index(ledger[domain], m.Selector)
			if !manual || i >= 0 && ledger[domain][i].SlotZone != "" || m.Action != keyring.Generate && m.Action != keyring.Revoke {
				all = append(all, m)
			}
		}
	}
	return steps.Rotation(all)
}

// RecordsOnly reports whether the run only records what DNS has: there is no plan to
// show or confirm.
func (t Transitions) RecordsOnly() bool {
	for _, moves := range t {
		if slices.ContainsFunc(moves, func(m keyring.Transition) bool {
			return m.Action != keyring.ConfirmPublished && m.Action != keyring.LostPublished
		}) {
			return false
		}
	}
	return len(t) > 0
}

// KeyPlan returns the key plan of the request.
func (t Transitions) KeyPlan(sp spec.Spec, ledger keyring.Ledger, now time.Time) provision.KeyPlan {
	p := provision.KeyPlan{Ledger: ledger, Withdraw: t.Withdrawn(), Replaced: map[string]bool{}}
	if len(t) > 0 {
		p.After, p.During = t.Keys(ledger, now)
	}
	for _, d := range sp.Domains {
		if t.Generates(d.Name) {
			p.Successors = append(p.Successors, d.Name)
		}
	}
	for domain := range t {
		p.Replaced[domain] = true
	}
	return p
}

func domainNamed(sp spec.Spec, name string) spec.Domain {
	if d, known := findDomain(sp, name); known {
		return d
	}
	return spec.Domain{Name: name}
}

// PolicyOf returns the key policy of a domain.
func PolicyOf(sp spec.Spec, d spec.Domain) keyring.Policy {
	r := sp.RotationOf(d)
	return keyring.Policy{
		Every: max(0, r.Every), Drain: sp.DrainOf(d), Revoke: max(0, r.Revoke), Lag: r.Lag, Bits: d.KeyBits,
	}
}
