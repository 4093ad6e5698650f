package inventory

import (
	"errors"
	"slices"

	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/text"
)

// maxListed is how many domains a hint names.
const maxListed = 5

// Choose returns the domains of a server that were named, each once; without a name
// it returns all.
func Choose(sp spec.Spec, names []string) ([]spec.Domain, error) {
	if len(names) == 0 {
		return sp.Domains, nil
	}
	var list []spec.Domain
	seen := map[string]bool{}
	for _, given := range names {
		name, err := syntax.DomainName(given)
		if bad := (*syntax.BadValue)(nil); errors.As(err, &bad) {
			f := bad.Finding("DOMAIN")
			return nil, hint.NewUsage(f.Hint, "%s", syntax.Finding{Field: f.Field, Text: f.Text})
		}
		i := slices.IndexFunc(sp.Domains, func(d spec.Domain) bool { return d.Name == name })
		if i < 0 {
			var has []string
			for _, d := range sp.Domains {
				has = append(has, d.Name)
			}
			return nil, hint.NewUsage("it has "+text.List(has, maxListed), "%s is no domain of this server", name)
		}
		if !seen[name] {
			list, seen[name] = append(list, sp.Domains[i]), true
		}
	}
	return list, nil
}
