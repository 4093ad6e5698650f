package step

import (
	"cmp"
	"maps"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

// WithoutFile returns the domains whose keys sign although no file wishes for
// them any more, sorted: somebody renamed it, or took it away.
func WithoutFile(keys keyring.Ledger, sp spec.Spec) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		_, signs := keys.Signing(name)
		_, wished := slices.BinarySearchFunc(sp.Domains, name, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
		if signs && !wished {
			names = append(names, name)
		}
	}
	return names
}

// WithoutFile returns those that the run is not about.
func (in Input) WithoutFile() []string {
	return slices.DeleteFunc(WithoutFile(in.Ledger, in.Spec), in.Scope.Selects)
}

// Leaving returns the domains that the run is about and that are no longer
// wanted, with those whose files are gone once that was agreed to.
func (in Input) Leaving() []string {
	names := slices.DeleteFunc(in.WithoutFile(), func(name string) bool { return !in.Consents["domain "+name] })
	for _, name := range in.Scope.Selection() {
		if !in.Has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Withdrawn returns the input as it is once the keys that go in this run are gone.
func (in Input) Withdrawn() Input {
	if len(in.Keys.Withdraw) == 0 {
		return in
	}
	in.Ledger = maps.Clone(in.Ledger)
	for domain, selectors := range in.Keys.Withdraw {
		keys := slices.Clone(in.Ledger[domain])
		for i, k := range keys {
			if slices.Contains(selectors, k.Selector) {
				keys[i] = k.At(keyring.Gone, in.Now)
			}
		}
		in.Ledger[domain] = keys
	}
	return in
}
