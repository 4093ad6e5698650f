// Package newzone makes the zones that begin here: with what, and for which records.
package newzone

import (
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// OfKeys returns the name, the TTL and the name servers of the zone that holds a record of a
// domain where that is one of keys alone, which is made here when it is missing: a slot zone, or
// the names of the keys of the domain. It reports false for other records.
func OfKeys(in step.Input, d spec.Domain, r state.Record) (spec.Domain, bool) {
	switch {
	case records.IsDelegated(in.Spec, d, r):
		return spec.Domain{Name: dnsname.KeyZone(d.Name), TTL: d.TTL, NS: records.NameServers(in.Spec, d)}, true
	case records.InSlot(d.Name, r):
		_, below, _ := dnsname.SplitKey(dnsname.TrimDot(r.Name))
		return spec.Domain{Name: strings.TrimPrefix(below, d.Name+"."), TTL: d.TTL}, true
	}
	return spec.Domain{}, false
}

// Start returns the start of a new zone. Of the names inside it only the host's own gets an
// address, and named refuses a name server without one.
func Start(h spec.Host, d spec.Domain) (*state.NewZone, error) {
	z := &state.NewZone{TTL: d.TTL}
	z.Hostmaster = "hostmaster." + strings.TrimPrefix(d.Name, dnsname.KeyZone("")) + "." // BIND refuses an underscore there (check-names)
	for _, ns := range d.NS {
		if dnsname.Within(ns, d.Name) && (ns != h.Hostname || d.Name != h.Domain) {
			return nil, step.Refuse("name this host ("+h.Hostname+"), or name servers outside of "+d.Name,
				"name server %s is inside the new zone, which has no address for it", ns)
		}
		z.NS = append(z.NS, ns+".")
	}
	if len(z.NS) == 0 {
		z.NS = []string{h.Hostname + "."}
	}
	return z, nil
}
