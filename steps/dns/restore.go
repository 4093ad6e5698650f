package dns

import (
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

var bindReaders = state.Owner{User: "root", Group: "bind"}

// WatchedRecords returns the records of a domain that the record watch checks, and
// those among them without which mail fails: of keys that sign, or whose mail may be in
// a queue.
func WatchedRecords(s spec.Spec, d spec.Domain, keys []keyring.Key) (all, signing []state.Record) {
	all = records.Of(step.Input{Spec: s, Ledger: keyring.Ledger{d.Name: keys}}, d)
	for _, k := range keys {
		if k.Stage != keyring.Active && k.Stage != keyring.Draining {
			continue
		}
		for _, r := range all {
			if name := dnsname.TrimDot(r.Name); name == dnsname.Key(k.Selector, d.Name) || name == k.RecordName(d.Name) {
				signing = append(signing, r)
			}
		}
	}
	return all, signing
}

// DomainsOfZone returns the domains whose zone on this machine is the same as that of a
// domain, itself included, sorted.
func DomainsOfZone(in step.Input, domain string) []string {
	zone, _ := in.Facts.Zones.Closest(domain + ".")
	var names []string
	for _, d := range in.Spec.Domains {
		if z, ok := in.Facts.Zones.Closest(d.Name + "."); ok && z.Origin == zone.Origin && in.Spec.DNSOf(d) == spec.DNSBind {
			names = append(names, d.Name)
		}
	}
	return names
}

// FragmentsOf returns the fragments that may have records of a domain: those of the
// zones at and above it.
func FragmentsOf(domain string) []state.Path {
	var list []state.Path
	for name, above := domain, true; above; _, name, above = strings.Cut(name, ".") {
		list = append(list, FragmentDir.Join(name+".zone"))
	}
	return list
}

// ZoneWithoutInclude returns the zone of a domain if its file no longer includes our
// fragment, which exists.
func ZoneWithoutInclude(f state.Facts, domain string) (state.Zone, bool) {
	zone, ok := f.Zones.Closest(domain + ".")
	return zone, ok && zone.IncludeLost
}

// RebuildFragments writes the fragments of the zones of all domains anew, even in a run
// about keys only.
func RebuildFragments(in step.Input) (state.Stage, []state.Note, error) {
	in.KeysOnly = false
	return zoneFiles(in)
}

// RestoreIncludes puts the $INCLUDE line of our fragment back into zones of the run's
// domains that lost it.
func RestoreIncludes(in step.Input) (state.Stage, []state.Note, error) {
	parts := map[string]*zoneChange{}
	failed := state.DomainErrors{}
	for d := range in.Scope.Domains(in.Spec) {
		zone, ok := in.Facts.Zones.Closest(d.Name + ".")
		if !ok || !zone.IncludeLost || in.Spec.DNSOf(d) != spec.DNSBind {
			continue
		}
		p := &zoneChange{zone: zone, ours: withoutCopies(zone), copies: zone.Copies, want: zone.OurRecords}
		if err := p.checkRestorable(); err != nil {
			failed[d.Name] = err
			continue
		}
		parts[zone.Origin] = p
	}
	if err := failed.Err(); err != nil {
		return state.Stage{}, nil, err
	}
	stage, named := state.Stage{}, &namedStage{in: in, why: "serve the records again"}
	for _, origin := range slices.Sorted(maps.Keys(parts)) {
		p := parts[origin]
		addZone(&stage, in, p)
		named.changeZone(p, p.want, nil)
	}
	named.finish(&stage)
	return stage, nil, nil
}

// checkRestorable refuses a zone that cannot be edited, or that has records which
// conflict with those of our fragment.
func (p *zoneChange) checkRestorable() error {
	if p.zone.Problem != "" {
		return refuseUnusable(p.zone)
	}
	for _, r := range p.want {
		if x, ok := records.AliasAt(p.zone, r.Name); ok {
			return step.Refuse("mailsetup init says what can be done", "zone %s has another record in the place of one of ours: %s", p.zone.Origin, asLine(x))
		}
		if there := p.conflicting(r); len(there) > 0 {
			return step.Refuse("mailsetup init says what can be done", "zone %s has another record in the place of one of ours: %s", p.zone.Origin, asLine(there[0]))
		}
	}
	return nil
}
