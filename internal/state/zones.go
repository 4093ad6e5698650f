package state

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
)

// Zones are zones in the order of SortZones, in which that of a name is found without a
// look at all of them: a server may have ten thousand.
type Zones []Zone

// ZoneReload is what BIND has to take in of what changed.
type ZoneReload struct {
	Zones []ZoneInView `json:"zones,omitempty"` // whose files changed
	List  bool         `json:"list,omitempty"`  // named.conf has a zone more, or one less
}

// ZoneInView is a zone of BIND as rndc(8) names it.
type ZoneInView struct {
	Origin string `json:"origin"`
	View   string `json:"view,omitempty"`
}

// SortZones sorts zones by origin. Of several with one name, the usable ones come first.
func SortZones(list []Zone) Zones {
	slices.SortStableFunc(list, func(a, b Zone) int {
		if c := cmp.Compare(a.Origin, b.Origin); c != 0 || (a.Problem == "") == (b.Problem == "") {
			return c
		}
		if a.Problem == "" {
			return -1
		}
		return 1
	})
	return list
}

// Named returns the zones with an origin.
func (z Zones) Named(origin string) Zones {
	origin = strings.ToLower(origin)
	first, _ := slices.BinarySearchFunc(z, origin, func(z Zone, origin string) int { return cmp.Compare(z.Origin, origin) })
	end := first
	for end < len(z) && z[end].Origin == origin {
		end++
	}
	return z[first:end]
}

// Above returns the zones whose origin is an absolute name or above it, the closest
// first.
func (z Zones) Above(name string) iter.Seq[Zone] {
	return func(yield func(Zone) bool) {
		for more := true; more; {
			origin := name
			if _, name, more = strings.Cut(name, "."); !more || origin == "." {
				origin, more = ".", false
			}
			for _, found := range z.Named(origin) {
				if !yield(found) {
					return
				}
			}
		}
	}
}

// Holding returns the zones that contain an absolute name, the closest first.
func (z Zones) Holding(name string) iter.Seq[Zone] {
	return func(yield func(Zone) bool) {
		for found := range z.Above(name) {
			if found.Contains(name) && !yield(found) {
				return
			}
		}
	}
}

// Closest returns the zone with the longest origin at or above an absolute name, and
// whether that zone contains the name and does not delegate it.
func (z Zones) Closest(name string) (Zone, bool) {
	for found := range z.Above(name) {
		return found, found.Contains(name)
	}
	return Zone{}, false
}

// ClosestPublished returns the zone of a name among those that records are published in,
// by updates or in files.
func (f Facts) ClosestPublished(name string) (Zone, bool) {
	updated, ok := f.Updated.Closest(name)
	here, okHere := f.Zones.Closest(name)
	if len(here.Origin) > len(updated.Origin) {
		return here, okHere
	}
	return updated, ok
}

// Serves reports whether the BIND of this machine is primary for a domain, with a
// zone that can be worked with.
func (f *Facts) Serves(domain string) bool {
	for z := range f.Zones.Holding(dnsname.Absolute(domain)) {
		if z.Problem == "" {
			return true
		}
	}
	return false
}

// Trouble says why the zone cannot be worked with, and names it. The root zone
// stands for all of a BIND whose configuration cannot be read.
func (z Zone) Trouble() string {
	if z.Origin == "." {
		return "the configuration of BIND: " + z.Problem
	}
	return "zone " + dnsname.TrimDot(z.Origin) + ": " + z.Problem
}
