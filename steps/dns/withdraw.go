package dns

import (
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Withdraw removes the records of keys that have signed nothing for long enough. Their
// rows were removed before, and the private keys are removed after them: a record
// without a key does no harm, a signature without its record does not verify. It is for
// runs that publish records.
func Withdraw(in step.Input) (state.Stage, []state.Note, error) {
	if len(in.Keys.Withdraw) == 0 {
		return state.Stage{}, nil, nil
	}
	after := in.Withdrawn()
	after.Facts.Updated = updatedBy(in, after.Facts.Updated)
	return withdrawRecords(in, after)
}

// WithdrawAlone is Withdraw for a run that publishes nothing: other changes are left to
// a run that shows them.
func WithdrawAlone(in step.Input) (state.Stage, []state.Note, error) {
	after := in.Withdrawn()
	after.Scope = step.Only()
	return withdrawRecords(in, after)
}

// withdrawRecords removes the records that the input afterwards no longer has.
func withdrawRecords(in, after step.Input) (state.Stage, []state.Note, error) {
	if len(in.Keys.Withdraw) == 0 {
		return state.Stage{}, nil, nil
	}
	stage, _, err := zoneFiles(after)
	if err != nil {
		return state.Stage{}, nil, err
	}
	if _, err := publishUpdates(after, &stage); err != nil {
		return state.Stage{}, nil, err
	}
	return stage, withdrawnByHand(in), nil
}

// updatedBy returns the zones after the publishing stage of the same run.
func updatedBy(in step.Input, zones []state.Zone) []state.Zone {
	var stage state.Stage
	parts, _, err := updateChanges(in)
	if err != nil {
		return zones // that stage says so
	}
	copies, others := map[string][]state.Record{}, notPublishedBy(in, spec.DNSUpdate)
	for _, p := range parts {
		if _, err := p.update(in, others, &stage); err != nil {
			return zones
		}
		copies[p.zone.Origin] = p.copies
	}
	zones = slices.Clone(zones)
	for i, z := range zones {
		for _, u := range stage.Updates {
			if u.Origin != z.Origin {
				continue
			}
			own := *z.Update
			own.OurRecords = append(missingFrom(own.OurRecords, u.Remove), u.Add...)
			zones[i].Update, zones[i].Records, zones[i].Copies = &own, missingFrom(z.Records, u.Remove), copies[z.Origin]
		}
	}
	return zones
}

// withdrawnByHand lists the records of withdrawn keys outside of zones that mailsetup
// writes: their publisher has to remove them.
func withdrawnByHand(in step.Input) []state.Note {
	ours := map[string]bool{}
	for _, z := range slices.Concat(in.Facts.Zones, in.Facts.Updated) {
		for _, r := range ourRecords(z) {
			ours[strings.ToLower(r.Name)] = true
		}
	}
	var notes []state.Note
	for _, domain := range slices.Sorted(maps.Keys(in.Keys.Withdraw)) {
		for _, selector := range in.Keys.Withdraw[domain] {
			name, typ := dnsname.Key(selector, domain)+".", "TXT"
			if record := recordOf(in, domain, selector) + "."; record != name {
				if typ = "CNAME"; records.HasSlots(in, domain) { // the slot stays
					continue
				}
			}
			if !ours[strings.ToLower(name)] {
				notes = append(notes, state.Note{
					Topic: "dns", Text: "take this record out of the DNS of " + domain + ": nothing needs it any more", Action: name + " " + typ,
				})
			}
		}
	}
	return notes
}
