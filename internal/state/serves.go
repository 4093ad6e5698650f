package state

import "slices"

// Serves reports whether the BIND of this machine is primary for a domain, with a
// zone that can be worked with.
func (f *Facts) Serves(domain string) bool {
	return slices.ContainsFunc(f.Zones, func(z Zone) bool { return z.Problem == "" && z.Contains(domain+".") })
}
