package state

import (
	"slices"

	"mailsetup/internal/dnsname"
)

// Serves reports whether the BIND of this machine is primary for a domain, with a
// zone that can be worked with.
func (f *Facts) Serves(domain string) bool {
	return slices.ContainsFunc(f.Zones, func(z Zone) bool { return z.Problem == "" && z.Contains(domain+".") })
}

// Trouble says why the zone cannot be worked with, and names it. The root zone
// stands for all of a BIND whose configuration cannot be read.
func (z Zone) Trouble() string {
	if z.Origin == "." {
		return "the configuration of BIND: " + z.Problem
	}
	return "zone " + dnsname.TrimDot(z.Origin) + ": " + z.Problem
}
