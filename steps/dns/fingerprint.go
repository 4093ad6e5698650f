package dns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

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
	update := s.UpdateOf(d)
	b := appendValue(make([]byte, 0, 2048), reflect.ValueOf(&d).Elem())
	b = appendTexts(b, string(s.DNSOf(d)), update.Server, update.KeyFile)
	if s.DNSOf(d) != spec.DNSBind && s.Host.DNS == spec.DNSBind { // then its zones consent
		b = appendTexts(b, records.ReportDomains(d)...)
	}
	if records.Slots(s, d).Zone != "" {
		b = appendTexts(b, string(records.SlotMode(s)))
	}
	for _, k := range keys {
		switch k.Stage {
		case keyring.Active, keyring.Draining, keyring.Revoked, keyring.Gone:
		default:
			return ""
		}
		b = appendTexts(b, k.Selector, string(k.Stage))
	}
	for _, r := range records.Of(step.Input{Spec: s, Ledger: keyring.Ledger{d.Name: keys}}, d) {
		b = strconv.AppendUint(appendTexts(b, r.Name, r.Type, r.Value), uint64(r.TTL), 10)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendTexts appends texts so that no others give the same octets.
func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(append(strconv.AppendInt(b, int64(len(text)), 10), ':'), text...)
	}
	return append(b, '\n')
}

// appendValue appends all fields of a value: fmt takes ten times as long for that.
func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return appendTexts(b, v.String())
	case reflect.Bool:
		return append(strconv.AppendBool(b, v.Bool()), ';')
	case reflect.Int, reflect.Int64:
		return append(strconv.AppendInt(b, v.Int(), 10), ';')
	case reflect.Uint32:
		return append(strconv.AppendUint(b, v.Uint(), 10), ';')
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return v.Interface().(time.Time).AppendFormat(b, time.RFC3339)
		}
		for i := range v.NumField() {
			b = appendValue(b, v.Field(i))
		}
		return b
	case reflect.Slice:
		b = append(strconv.AppendInt(b, int64(v.Len()), 10), '[')
		for i := range v.Len() {
			b = appendValue(b, v.Index(i))
		}
		return b
	}
	return fmt.Append(b, v, ";")
}

// ZoneFiles returns the files on this machine with the records of a domain: its zones,
// our fragments, and our list of the records in zones that take dynamic updates.
func ZoneFiles(in step.Input, d spec.Domain) []state.Path {
	files := append(servedFiles(in, d), updatedFiles(in, d)...)
	slices.Sort(files)
	return slices.Compact(files)
}

func updatedFiles(in step.Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records.By(in, d, spec.DNSUpdate) {
		if zone, ok := in.Facts.Updated.Closest(r.Name); ok {
			files = append(files, state.PublishedFile(zone.Origin))
		}
	}
	return files
}

func servedFiles(in step.Input, d spec.Domain) []state.Path {
	var files []state.Path
	for _, r := range records.By(in, d, spec.DNSBind) {
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
