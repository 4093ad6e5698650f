package step

import (
	"maps"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

// WithoutFile returns the domains with a key that signs and no file any more, sorted:
// it was renamed or removed.
func WithoutFile(keys keyring.Ledger, sp spec.Spec) []string {
	there := 0
	for i := range sp.Domains {
		if _, is := keys[sp.Domains[i].Name]; is {
			there++
		}
	}
	if there == len(keys) { // as most often
		return nil
	}
	wished := make(map[string]bool, len(sp.Domains)) // to search ten thousand for each name takes ten times as long
	for i := range sp.Domains {
		wished[sp.Domains[i].Name] = true
	}
	var names []string
	for name := range keys {
		if wished[name] {
			continue
		}
		if _, signs := keys.Signing(name); signs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Counted returns the input with what takes a look at all domains, for steps that do not
// change it.
func (in Input) Counted() Input {
	list := in.WithoutFile()
	in.Keys.withoutFile = &list
	return in
}

// WithoutFile returns those of them that the run neither selects nor takes out of the spec.
func (in Input) WithoutFile() []string {
	if in.Keys.withoutFile != nil {
		return slices.Clone(*in.Keys.withoutFile)
	}
	return slices.DeleteFunc(WithoutFile(in.Ledger, in.Spec), func(name string) bool {
		return in.Scope.Selects(name) || slices.ContainsFunc(in.Removed, func(d spec.Domain) bool { return d.Name == name })
	})
}

// Leaving returns the domains of the run that are no longer in the spec, including
// those whose files are gone, once that was confirmed.
func (in Input) Leaving() []string {
	names := slices.DeleteFunc(in.WithoutFile(), func(name string) bool { return !in.Consents["domain "+name] })
	for _, name := range in.Scope.Selection() {
		if !in.Has(name) {
			names = append(names, name)
		}
	}
	for _, d := range in.Removed {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Withdrawn returns the input after the withdrawal of keys in this run.
func (in Input) Withdrawn() Input {
	if len(in.Keys.Withdraw) == 0 {
		return in
	}
	in.Ledger, in.Keys.withoutFile = maps.Clone(in.Ledger), nil
	for domain, selectors := range in.Keys.Withdraw {
		keys := slices.Clone(in.Ledger[domain])
		for i, k := range keys {
			if k.Stage != keyring.Gone && slices.Contains(selectors, k.Selector) {
				keys[i] = k.At(keyring.Gone, in.Now)
			}
		}
		in.Ledger[domain] = keys
	}
	return in
}
