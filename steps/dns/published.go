package dns

import (
	"fmt"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Publication is a record to be published by the administrator of the domain's DNS.
type Publication struct {
	state.Record
	// Replaces are the texts of the existing records that it replaces: a second one
	// beside them would be a permanent error.
	Replaces []string
	// Right: resolvers find a record that does its work.
	Right bool
}

func recordsOf(list []Publication) []state.Record {
	rrs := make([]state.Record, 0, len(list))
	for _, p := range list {
		rrs = append(rrs, p.Record)
	}
	return rrs
}

// RecordsToPrint returns the records of a domain whose DNS somebody else runs: ours,
// merged with the SPF and DMARC records that exist, and copies of wildcard records;
// with notes.
func RecordsToPrint(in step.Input, d spec.Domain) ([]Publication, []state.Note) {
	list, notes := mergedRecords(in, d)
	copies, told := printedCopies(in, d, recordsOf(list))
	for _, r := range copies {
		list = append(list, Publication{Record: r})
	}
	return list, slices.Concat(notes, largePrintedAnswers(in, list), told)
}

// mergedRecords returns the records of a domain, merged with the SPF and DMARC records
// that exist.
func mergedRecords(in step.Input, d spec.Domain) ([]Publication, []state.Note) {
	var list []Publication
	var notes []state.Note
	for _, r := range records.Of(in, d) {
		if records.InSlot(d.Name, r) || records.IsDelegated(in.Spec, d, r) {
			continue
		}
		if records.KindOf(d, r) == records.AboutKey || records.KindOf(d, r) == records.AboutAddress {
			list = append(list, Publication{Record: r})
			continue
		}
		there := existingPolicies(in, r)
		v := records.Compare(in, d, r, there)
		p := Publication{Record: r}
		switch {
		case v.Missing && v.Refused != nil:
			notes = append(notes, v.AsNote(r))
		case v.Refused != nil:
			p.Value, p.Replaces = v.Replacement, records.ValuesOf(there)
			notes = append(notes, p.replacementNote(v.Refused.What))
		case v.Change != "":
			p.Value, p.Replaces = v.Change, records.ValuesOf(there)
			notes = append(notes, p.replacementNote(v.Text))
		case !v.Missing:
			p.Value, p.Right = there[0].Value, true
		}
		list, notes = append(list, p), append(notes, v.Notes...)
	}
	return list, notes
}

// largePrintedAnswers is largeAnswers for printed records, beside those that DNS has.
func largePrintedAnswers(in step.Input, list []Publication) []state.Note {
	p := zoneChange{ours: recordsOf(list), want: recordsOf(list)}
	known := map[string]bool{}
	for _, r := range p.ours {
		if r.Type != "TXT" || known[r.Name] {
			continue
		}
		known[r.Name] = true
		stays := func(text string) bool {
			return !slices.ContainsFunc(list, func(x Publication) bool {
				return x.Name == r.Name && (x.Value == text || slices.Contains(x.Replaces, text))
			})
		}
		for _, text := range records.TXTRecords(in.Facts, dnsname.TrimDot(r.Name), stays) {
			p.zone.Records = append(p.zone.Records, state.Record{Name: r.Name, Type: "TXT", Value: text})
		}
	}
	return p.largeAnswers()
}

// RecordsByHand returns the records of a domain that the administrator publishes, but for
// keys that are still to be made.
func RecordsByHand(in step.Input, d spec.Domain) []state.Record {
	if !in.Spec.ByHand(d) {
		return nil
	}
	list, _ := RecordsToPrint(in, d)
	rrs := recordsOf(list)
	return slices.DeleteFunc(rrs, func(r state.Record) bool {
		return slices.ContainsFunc(in.Ledger[d.Name], func(k keyring.Key) bool {
			return k.Pending() && dnsname.Same(r.Name, dnsname.Key(k.Selector, d.Name)+".")
		})
	})
}

// ServedRecords returns the records that every name server of the domain should have:
// ours, without those that the administrator may replace in a zone that we publish in.
func ServedRecords(in step.Input, d spec.Domain) []state.Record {
	list, _ := RecordsToPrint(in, d)
	var rrs []state.Record
	for _, r := range recordsOf(list) {
		if !adminMayDiffer(in, d, r) {
			rrs = append(rrs, r)
		}
	}
	for _, r := range records.Of(in, d) {
		if records.InSlot(d.Name, r) || records.IsDelegated(in.Spec, d, r) {
			rrs = append(rrs, r)
		}
	}
	return append(rrs, records.ReportConsents(in, d)...)
}

// adminMayDiffer reports whether the zone may have another record instead of ours:
// several policies that were kept on request, a policy behind an alias, or other
// addresses and mail exchangers.
func adminMayDiffer(in step.Input, d spec.Domain, r state.Record) bool {
	kind := records.KindOf(d, r)
	if slices.Contains(d.Keep, string(kind)) && len(existingPolicies(in, r)) > 1 {
		return true
	}
	zone, here := in.Facts.Zones.Closest(r.Name)
	if !here || zone.Problem != "" {
		zone, here = in.Facts.Updated.Closest(r.Name)
	}
	if !here {
		return false
	}
	p := &zoneChange{zone: zone}
	if kind == records.AboutAddress {
		there := p.conflicting(r)
		return len(there) > 0 && !slices.ContainsFunc(there, func(x state.Record) bool { return records.SameTarget(x, r) })
	}
	_, alias := records.AliasAt(p.zone, r.Name)
	return alias && kind == records.AboutDMARC
}

// replacementNote explains why a record replaces others.
func (p Publication) replacementNote(why string) state.Note {
	which := "your record: "
	if len(p.Replaces) > 1 {
		which = "all of your records: "
	}
	return state.Note{
		Topic: records.Purpose(p.Value),
		Text:  fmt.Sprintf("%s. What is printed for %s replaces %s%s", why, dnsname.TrimDot(p.Name), which, text.Values(p.Replaces)),
	}
}

// existingPolicies returns the SPF or DMARC records that DNS has at the name of ours.
func existingPolicies(in step.Input, r state.Record) []state.Record {
	serve := policy.IsSPF
	if policy.IsDMARC(r.Value) {
		serve = policy.IsDMARC
	}
	var there []state.Record
	for _, text := range records.TXTRecords(in.Facts, dnsname.TrimDot(r.Name), serve) {
		x := r
		x.Value = text
		there = append(there, x)
	}
	return there
}
