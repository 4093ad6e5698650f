package steps

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Sum is a digest of all that is wanted of a domain: as long as it stays, and
// the files of its zones (see ZoneFiles) as well, a run that is not about the
// domain has nothing to do for it. It is "" while a key has not settled.
func Sum(s spec.Spec, d spec.Domain, keys []keyring.Key) string {
	h := sha256.New()
	fmt.Fprintf(h, "%+v\n%s %+v\n", d, s.DNSOf(d), s.UpdateOf(d))
	if s.DNSOf(d) != spec.DNSBind && s.Host.DNS == spec.DNSBind { // then its zones consent
		for _, to := range reportedTo(d) {
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
	for _, r := range records(Input{Spec: s, Keys: keyring.Ledger{d.Name: keys}}, d) {
		fmt.Fprintf(h, "%s %d %s %s\n", r.Name, r.TTL, r.Type, r.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// ZoneFiles are the files on this machine that hold the records of a domain:
// those of its zones, and our fragments in them; of zones that are updated, what
// we remember of them.
func ZoneFiles(in Input, d spec.Domain) []state.Path {
	switch in.Spec.DNSOf(d) {
	case spec.DNSBind:
		return servedFiles(in, d)
	case spec.DNSUpdate:
		return updatedFiles(in, d)
	}
	return nil
}

func updatedFiles(in Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records(in, d) {
		if zone, ok := closest(in.Facts.Updated, r.Name); ok {
			files = append(files, state.PublishedFile(zone.Origin))
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func servedFiles(in Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records(in, d) {
		p := part{}
		switch zone, ok := closest(in.Facts.Zones, r.Name); {
		case ok:
			p.zone = zone
		case d.NewZone && within(r.Name, d.Name+"."):
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
