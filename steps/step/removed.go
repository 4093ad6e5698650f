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
	return slices.DeleteFunc(WithoutFile(in.Keys, in.Spec), in.Scope.Selects)
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
