// Package step is what a step is and what it may look at.
package step

import (
	"iter"
	"maps"
	"slices"

	"mailsetup/internal/spec"
)

// Scope says which domains a run is about. The zero value is all of them, and
// the host itself. A Scope is a value: its methods return a changed copy.
//
// What concerns one domain only is looked at for the domains in the scope. What
// all share, as the tables of OpenDKIM, is made from the whole spec and ledger.
type Scope struct {
	only    map[string]bool // nil for all
	skip    map[string]bool
	recheck map[string]bool
	host    bool // no domain
}

// Only returns the scope of the named domains, without the host: Only() is none.
func Only(domains ...string) Scope {
	s := Scope{only: make(map[string]bool, len(domains))}
	for _, d := range domains {
		s.only[d] = true
	}
	return s
}

// HostOnly returns the scope of the host itself without any domain: neither its records
// nor its first key are made.
func HostOnly() Scope { return Scope{host: true} }

// IsHostOnly reports whether a run is about the host and no domain at all.
func (s Scope) IsHostOnly() bool { return s.host }

// With returns the scope with more domains. The scope of the whole host has them.
func (s Scope) With(domains ...string) Scope {
	if s.only == nil {
		return s
	}
	s.only = maps.Clone(s.only)
	for _, d := range domains {
		s.only[d] = true
	}
	return s
}

// Skip returns the scope without unchanged domains. A run about the whole host stays
// one.
func (s Scope) Skip(unchanged map[string]bool) Scope {
	s.skip = unchanged
	return s
}

// Recheck returns a scope in which Skip keeps the domains: the command line names them,
// or something is wrong with them.
func (s Scope) Recheck(domains ...string) Scope {
	s.recheck = Only(domains...).only
	return s
}

// Includes reports whether the run is about the domain.
func (s Scope) Includes(domain string) bool {
	return !s.host && (s.only == nil || s.only[domain]) && (!s.skip[domain] || s.recheck[domain])
}

// Selects reports whether the domain is one of those that the scope was made of
// with Only or With.
func (s Scope) Selects(domain string) bool { return s.only[domain] }

// Selection returns the domains that the scope was made of, sorted; none for the
// whole host. The spec need not have them any more.
func (s Scope) Selection() []string { return slices.Sorted(maps.Keys(s.only)) }

// WholeHost reports whether the run is about the host itself, and about all
// domains but those that were skipped.
func (s Scope) WholeHost() bool { return s.only == nil }

// Complete reports whether no domain is left out.
func (s Scope) Complete() bool {
	for d, skipped := range s.skip {
		if skipped && !s.recheck[d] {
			return false
		}
	}
	return s.only == nil && !s.host
}

// Domains returns the domains of the spec that the run is about.
func (s Scope) Domains(sp spec.Spec) iter.Seq[spec.Domain] {
	return func(yield func(spec.Domain) bool) {
		for i := range sp.Domains { // of ten thousand, most are not included
			if s.Includes(sp.Domains[i].Name) && !yield(sp.Domains[i]) {
				return
			}
		}
	}
}
