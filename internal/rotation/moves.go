// Package rotation takes keys through their lives: it turns the moves that are
// safe now into what a run has to do.
package rotation

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/steps"
)

// Moves are the steps that the keys of some domains take in one run, by domain.
type Moves map[string][]keyring.Move

// Makes reports whether the domain gets a new key.
func (m Moves) Makes(domain string) bool {
	return slices.ContainsFunc(m[domain], func(x keyring.Move) bool { return x.Act == keyring.Make })
}

// Withdrawn are the keys whose records and private keys go: selectors, by domain.
func (m Moves) Withdrawn() map[string][]string {
	list := map[string][]string{}
	for domain, moves := range m {
		for _, x := range moves {
			if x.Act == keyring.Withdraw {
				list[domain] = append(list[domain], x.Selector)
			}
		}
	}
	return list
}

// Keys are the keys as the run leaves them, but for those that are made or
// withdrawn in it, and what the ledger says of them until that is proven.
func (m Moves) Keys(before keyring.Ledger, now time.Time) (late, early keyring.Ledger) {
	late, early = maps.Clone(before), maps.Clone(before)
	for domain, moves := range m {
		for _, x := range moves {
			switch x.Act {
			case keyring.Make, keyring.Withdraw:
			case keyring.Confirm, keyring.Doubt:
				early[domain] = keyring.Moved(early[domain], x, now)
				late[domain] = keyring.Moved(late[domain], x, now)
			default:
				late[domain] = keyring.Moved(late[domain], x, now)
			}
		}
	}
	return late, early
}

// Steps are those that the run takes. Where the administrator publishes the
// records, nothing is published here.
func (m Moves) Steps(sp spec.Spec) []steps.Step {
	var all []keyring.Move
	for domain, moves := range m {
		manual := sp.DNSOf(domainOf(sp, domain)) == spec.DNSManual
		for _, x := range moves {
			if !manual || x.Act != keyring.Make && x.Act != keyring.Revoke {
				all = append(all, x)
			}
		}
	}
	return steps.Rotating(all)
}

func domainOf(sp spec.Spec, name string) spec.Domain {
	i, known := slices.BinarySearchFunc(sp.Domains, name, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
	if !known {
		return spec.Domain{Name: name}
	}
	return sp.Domains[i]
}

// PolicyOf is how the keys of a domain live.
func PolicyOf(sp spec.Spec, d spec.Domain) keyring.Policy {
	r := sp.RotationOf(d)
	return keyring.Policy{
		Every: max(0, r.Every), Drain: sp.DrainOf(d), Revoke: max(0, r.Revoke), Lag: r.Lag, Bits: d.KeyBits,
	}
}
