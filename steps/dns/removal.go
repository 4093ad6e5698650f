package dns

import (
	"fmt"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// removalNotes says what happens to a removed domain's records.
func removalNotes(in step.Input) []state.Note {
	var notes []state.Note
	for _, d := range in.Removed {
		if in.Spec.ByHand(d) {
			notes = append(notes, recordsToRemove(in, d))
			if d.WildcardRecords == spec.Copy {
				notes = append(notes, state.Note{
					Topic: "dns", Text: "once its key record is out as well, so are the copies of what a wildcard of the zone says at " + d.Name + " and below it: the wildcard answers again",
				})
			}
		}
		notes = append(notes, keyNotes(in, d)...)
	}
	return append(notes, goneNotes(in)...)
}

// goneNotes says what happens to the records of domains whose file is gone, so that nobody
// knows what they were.
func goneNotes(in step.Input) []state.Note {
	var notes []state.Note
	for _, name := range in.Leaving() {
		if in.Scope.Selects(name) || slices.ContainsFunc(in.Removed, func(d spec.Domain) bool { return d.Name == name }) {
			continue
		}
		if !hasRecords(in, name) {
			notes = append(notes, state.Note{
				Topic: "dns", Text: "take the SPF and MX records of " + name + " and _dmarc." + name + " out of its DNS, if nobody else needs them",
			})
		}
		notes = append(notes, keyNotes(in, spec.Domain{Name: name})...)
	}
	return notes
}

// hasRecords reports whether records of a domain are in zones that mailsetup writes.
func hasRecords(in step.Input, domain string) bool {
	return slices.ContainsFunc(slices.Concat(in.Facts.Zones, in.Facts.Updated), func(z state.Zone) bool {
		return slices.ContainsFunc(ourRecords(z), func(r state.Record) bool { return subjectDomain(in, r.Name) == domain })
	})
}

// recordsToRemove lists the records of a domain that can be removed at once, without
// those in zones here.
func recordsToRemove(in step.Input, d spec.Domain) state.Note {
	rrs := slices.DeleteFunc(records.ForDomain(in.Spec.Host, d, nil), func(r state.Record) bool {
		i := keyring.Index(in.Ledger[d.Name], selectorOf(r))
		return records.InSlot(d.Name, r) || r.Type == "NS" || r.Type == "CNAME" && i >= 0 && in.Ledger[d.Name][i].Stage != keyring.Gone // a key drains there
	})
	if !records.ConsentsHere(in, d) {
		rrs = append(rrs, records.PossibleReportConsents(in, d)...)
	}
	return state.Note{
		Topic: "dns", Text: "take these records out of the DNS of " + d.Name + ", if nobody else needs them",
		Action: webForm(rrs, d.Name) + "\n",
	}
}

// selectorOf returns the selector of a key's record, "" for another record.
func selectorOf(r state.Record) string {
	selector, _, isKey := dnsname.SplitKey(dnsname.TrimDot(r.Name))
	if !isKey {
		return ""
	}
	return selector
}

// keyNotes says how long the keys of a removed domain stay, or what follows if they do
// not.
func keyNotes(in step.Input, d spec.Domain) []state.Note {
	until := in.Now.Add(in.Spec.Host.Drain)
	for _, k := range in.Ledger[d.Name] {
		switch {
		case k.Stage == keyring.Gone || k.Stage == keyring.Revoked:
		case slices.Contains(in.Keys.Withdraw[d.Name], k.Selector):
			return []state.Note{{
				Topic: "dkim", Text: "mail of " + d.Name + " that is under way will no longer verify: its key goes at once",
			}}
		case k.SlotZone != "":
			return []state.Note{{
				Topic: "dkim",
				Text: fmt.Sprintf("the key of %s stays in its slot until %s, for mail that is under way; take this out after that",
					d.Name, until.Format("2006-01-02 15:04 MST")),
				Action: dnsname.Key(k.Selector, d.Name) + ". CNAME",
			}}
		case records.Delegates(in.Spec, d):
			return []state.Note{{
				Topic: "dkim",
				Text: fmt.Sprintf("the key of %s stays in its zone here until %s, for mail that is under way. Then put the keys of other senders, which zone %s has, "+
					"into the DNS of %[1]s, and take this out",
					d.Name, until.Format("2006-01-02 15:04 MST"), dnsname.KeyZone(d.Name)),
				Action: dnsname.KeyZone(d.Name) + ". NS",
			}}
		default:
			return []state.Note{{
				Topic: "dkim",
				Text: fmt.Sprintf("the key record of %s stays in DNS until %s, for mail that is under way; take it out after that",
					d.Name, until.Format("2006-01-02 15:04 MST")),
				Action: "mailsetup rotate-dkim",
			}}
		}
	}
	return nil
}
