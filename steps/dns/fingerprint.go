package dns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Fingerprint returns a digest of everything that is wanted of a domain. As long as it
// and the contents of ZoneFiles stay the same, a run has nothing to do for the domain.
// It is "" while a key is between two stages.
func Fingerprint(s spec.Spec, d spec.Domain, keys []keyring.Key) string {
	h := sha256.New()
	fmt.Fprintf(h, "%+v\n%s %+v\n", d, s.DNSOf(d), s.UpdateOf(d))
	if s.DNSOf(d) != spec.DNSBind && s.Host.DNS == spec.DNSBind { // then its zones consent
		for _, to := range records.ReportDomains(d) {
			fmt.Fprintf(h, "reports to %s\n", to)
		}
	}
	for _, k := range keys {
		switch k.Stage {
		case keyring.Active, keyring.Draining, keyring.Revoked, keyring.Gone:
		default:
			return ""
		}
		fmt.Fprintf(h, "%s %s\n", k.Selector, k.Stage)
	}
	for _, r := range records.Of(step.Input{Spec: s, Ledger: keyring.Ledger{d.Name: keys}}, d) {
		fmt.Fprintf(h, "%s %d %s %s\n", r.Name, r.TTL, r.Type, r.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// ZoneFiles returns the files on this machine with the records of a domain: its zones,
// our fragments, and our list of the records in zones that take dynamic updates.
func ZoneFiles(in step.Input, d spec.Domain) []state.Path {
	switch in.Spec.DNSOf(d) {
	case spec.DNSBind:
		return servedFiles(in, d)
	case spec.DNSUpdate:
		return updatedFiles(in, d)
	}
	return nil
}

func updatedFiles(in step.Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records.Of(in, d) {
		if zone, ok := in.Facts.Updated.Closest(r.Name); ok {
			files = append(files, state.PublishedFile(zone.Origin))
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func servedFiles(in step.Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records.Of(in, d) {
		p := zoneChange{}
		switch zone, ok := in.Facts.Zones.Closest(r.Name); {
		case ok:
			p.zone = zone
		case d.NewZone && dnsname.Within(r.Name, d.Name+"."):
			p.zone = state.Zone{Origin: d.Name + ".", File: FragmentDir.Join("db." + d.Name)}
		default:
			continue
		}
		for _, f := range []state.Path{p.zone.File, p.fragment()} {
			if !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	return files
}
