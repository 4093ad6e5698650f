package steps

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// WithoutFile are the domains whose keys sign although no file wishes for them any
// more, sorted: somebody renamed it, or took it away.
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

// withoutFile are those that the run is not about.
func (in Input) withoutFile() []string {
	return slices.DeleteFunc(WithoutFile(in.Keys, in.Spec), func(name string) bool { return in.Scope.Selects(name) })
}

// removals ask about domains whose mail would leave unsigned from now on: that a
// file is gone may be a slip of the hand.
func (in Input) removals() []state.Question {
	var list []state.Question
	for _, name := range in.withoutFile() {
		k, _ := in.Keys.Signing(name)
		list = append(list, state.Question{
			ID: "domain " + name, Kind: state.AskRemoval, Domain: name, Path: spec.DomainFile(name),
			Text: fmt.Sprintf("the file of %s is gone. Key %s signs its mail until now, which would leave unsigned. "+
				"The key stays in DNS for mail under way.", name, k.Selector),
		})
	}
	return list
}
