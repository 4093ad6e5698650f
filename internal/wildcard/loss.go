// Package wildcard tells what the wildcards of a DNS zone no longer answer once
// further names exist in it (RFC 4592). A name that exists is not covered by a
// wildcard above it, for no type, and neither is anything below that name; it
// exists as well where only names below it have records (section 2.2.2).
package wildcard

import (
	"cmp"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Zone is a zone before records are added to it.
type Zone struct {
	Origin string // absolute
	// Records are all records of the zone. Records of wildcards and their targets are
	// enough if Names has every other name that exists.
	Records []state.Record
	// Names are further names that exist. Their ancestors exist with them.
	Names []string
}

// Loss is a name that no wildcard answers for any more once it exists, with the records
// that one answered with until then.
type Loss struct {
	// Name is the new name, or "*." and the new name for all names below it that do not
	// exist.
	Name  string
	Owner string // of the wildcard, absolute: *.example.org.
	// Records are those of the wildcard, with Name as their owner: copies that restore
	// the old answers. Records that are among the added ones are left out.
	Records []state.Record
}

// Base returns the new name.
func (l Loss) Base() string { return strings.TrimPrefix(l.Name, "*.") }

// Losses returns the losses caused by adding records, sorted by the new name. The
// records must belong to the zone: none is below a delegation.
func (z Zone) Losses(add []state.Record) []Loss {
	wild := map[string][]state.Record{} // by owner
	for _, r := range z.Records {
		if owner := strings.ToLower(r.Name); strings.HasPrefix(owner, "*.") && !isDNSSEC(r.Type) {
			wild[owner] = append(wild[owner], r)
		}
	}
	if len(wild) == 0 {
		return nil
	}
	exists := z.existing()
	fresh, at := map[string]bool{}, map[string][]state.Record{}
	for _, r := range add {
		name := strings.ToLower(r.Name)
		at[name] = append(at[name], r)
		for ; !exists[name] && !fresh[name] && inside(name, z.Origin); name = dnsname.Parent(name) {
			fresh[name] = true
		}
	}
	var losses []Loss
	for name := range fresh {
		source := z.source(exists, dnsname.Parent(name))
		for _, n := range []string{name, "*." + name} {
			if list := copiesFor(wild[source], n, at[n]); len(list) > 0 {
				losses = append(losses, Loss{n, source, list})
			}
		}
	}
	slices.SortFunc(losses, func(a, b Loss) int {
		return cmp.Or(strings.Compare(a.Base(), b.Base()), cmp.Compare(len(a.Name), len(b.Name)))
	})
	return losses
}

// existing returns the set of all names that exist in the zone.
func (z Zone) existing() map[string]bool {
	exists := map[string]bool{}
	for _, r := range z.Records {
		markExisting(exists, r.Name, z.Origin)
	}
	for _, name := range z.Names {
		markExisting(exists, name, z.Origin)
	}
	return exists
}

// source returns the wildcard of the closest encloser (section 3.3.1) of a name.
func (z Zone) source(exists map[string]bool, name string) string {
	for !exists[name] && inside(name, z.Origin) {
		name = dnsname.Parent(name)
	}
	return Owner(name)
}

// Sources returns a function that returns the owner of the records that answer for a
// name: the name itself, or a wildcard.
func (z Zone) Sources() func(name string) string {
	exists := z.existing()
	return func(name string) string {
		if name = strings.ToLower(name); exists[name] {
			return name
		}
		return z.source(exists, name)
	}
}

// copiesFor returns the records of a wildcard with another owner name, without those
// that are there.
func copiesFor(list []state.Record, name string, there []state.Record) []state.Record {
	var all []state.Record
	for _, r := range list {
		r.Name = name
		if !slices.ContainsFunc(there, func(x state.Record) bool { return state.Same(x, r) }) {
			all = append(all, r)
		}
	}
	return all
}

// Owner returns the owner of the wildcard directly below a name.
func Owner(name string) string { return "*." + strings.TrimPrefix(name, ".") }

// Ancestors returns a name and the names above it that exist because of it, without the
// origin of the zone.
func Ancestors(name, origin string) []string {
	var names []string
	for name = strings.ToLower(name); inside(name, origin); name = dnsname.Parent(name) {
		names = append(names, name)
	}
	return names
}

// markExisting adds a name and the names above it to the set.
func markExisting(exists map[string]bool, name, origin string) {
	for name = strings.ToLower(name); !exists[name]; name = dnsname.Parent(name) {
		exists[name] = true
		if !inside(name, origin) {
			return
		}
	}
}

// inside reports whether an absolute name in lower case is below the origin.
func inside(name, origin string) bool { return name != origin && dnsname.Within(name, origin) }

// isDNSSEC reports whether records of a type are generated when the zone is signed.
func isDNSSEC(kind string) bool { return kind == "RRSIG" || kind == "NSEC" || kind == "NSEC3" }
