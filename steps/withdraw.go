package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

// Withdraw takes the records of keys out of DNS that signed nothing for long
// enough. Rows went before, the private keys go after: a record without a key
// does no harm, a signature without its record is lost.
//
// It is for a run that publishes records as well.
func Withdraw(in Input) (state.Stage, []state.Note, error) {
	if len(in.Retire) == 0 {
		return state.Stage{}, nil, nil
	}
	after := retired(in)
	after.Facts.Updated = updatedBy(in, after.Facts.Updated)
	return withdrawn(in, after)
}

// WithdrawAlone is Withdraw for a run that publishes nothing: what else is asked
// for meanwhile is for a run that shows it.
func WithdrawAlone(in Input) (state.Stage, []state.Note, error) {
	after := retired(in)
	after.Scope = step.Only()
	return withdrawn(in, after)
}

// withdrawn takes those records out that the input after it no longer has.
func withdrawn(in, after Input) (state.Stage, []state.Note, error) {
	if len(in.Retire) == 0 {
		return state.Stage{}, nil, nil
	}
	stage, _, err := files(after)
	if err != nil {
		return state.Stage{}, nil, err
	}
	if _, err := updates(after, &stage); err != nil {
		return state.Stage{}, nil, err
	}
	return stage, withdrawnByHand(in), nil
}

// retired is the input once the keys that go in this run are gone.
func retired(in Input) Input {
	if len(in.Retire) == 0 {
		return in
	}
	in.Keys = maps.Clone(in.Keys)
	for domain, selectors := range in.Retire {
		keys := slices.Clone(in.Keys[domain])
		for i, k := range keys {
			if slices.Contains(selectors, k.Selector) {
				keys[i] = k.At(keyring.Gone, in.Now)
			}
		}
		in.Keys[domain] = keys
	}
	return in
}

// updatedBy are the zones as the Zone stage of the same run leaves them.
func updatedBy(in Input, zones []state.Zone) []state.Zone {
	var stage state.Stage
	parts, _, err := updateParts(in)
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
			own.Ours = append(lacking(own.Ours, u.Remove), u.Add...)
			zones[i].Update, zones[i].Records, zones[i].Copies = &own, lacking(z.Records, u.Remove), copies[z.Origin]
		}
	}
	return zones
}

// withdrawnByHand lists the records of keys that are in no zone which mailsetup
// writes: whoever put them there has to take them out.
func withdrawnByHand(in Input) []state.Note {
	ours := map[string]bool{}
	for _, z := range slices.Concat(in.Facts.Zones, in.Facts.Updated) {
		for _, r := range ourRecords(z) {
			ours[strings.ToLower(r.Name)] = true
		}
	}
	var notes []state.Note
	for _, domain := range slices.Sorted(maps.Keys(in.Retire)) {
		for _, selector := range in.Retire[domain] {
			name := selector + "._domainkey." + domain + "."
			if !ours[strings.ToLower(name)] {
				notes = append(notes, state.Note{
					Topic: "dns", Text: "take this record out of the DNS of " + domain + ": nothing needs it any more", Do: name + " TXT",
				})
			}
		}
	}
	return notes
}

// revokedByHand lists the records of keys that are revoked in this run where
// whoever runs the DNS has to see to it.
func revokedByHand(in Input) []state.Note {
	var notes []state.Note
	for d := range in.Scope.Domains(in.Spec) {
		early := in.Early[d.Name]
		for _, k := range in.Keys[d.Name] {
			was := slices.IndexFunc(early, func(e keyring.Key) bool { return e.Selector == k.Selector })
			if in.Spec.DNSOf(d) == spec.DNSManual && k.Stage == keyring.Revoked && was >= 0 && early[was].Stage != keyring.Revoked {
				notes = append(notes, RevokeByHand(keyName(d.Name, k)))
			}
		}
	}
	return notes
}

// RevokeByHand asks for an empty p= in the place of a key, whose name has no
// final dot.
func RevokeByHand(name string) state.Note {
	return state.Note{
		Topic: "dkim", Text: "put this in the place of the record that is there, or whoever has the private key goes on passing for you",
		Do: fmt.Sprintf("%s. TXT %q", name, keygen.Record("")),
	}
}

// endLeaving writes the end of the domains that leave into a stage: their keys drain
// from now on, or are gone.
func endLeaving(in Input, stage *state.Stage) {
	after := retired(in)
	for _, name := range in.Leaving() {
		keys := keyring.Drain(after.Keys[name], in.Now)
		if len(keys) == 0 {
			continue
		}
		if !isWritten(in, name, keys) {
			stage.Files = append(stage.Files, ledgerFile(name, keys))
		}
		if !slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Stage != keyring.Gone }) {
			stage.Discard = append(stage.Discard, keyring.CheckedFile(name))
		}
	}
	stage.Discard = append(stage.Discard, unneededKeys(after, in.Retire)...)
}

// unneededKeys are the private keys that nothing needs any more, and the directories
// that are empty then. What an administrator put there is theirs.
func unneededKeys(in Input, retire map[string][]string) []state.Path {
	needed := map[string]bool{}
	for _, keys := range in.Keys {
		for _, k := range keys {
			if k.Stage != keyring.Gone {
				needed[k.File] = true
			}
		}
	}
	var list []state.Path
	for _, domain := range slices.Sorted(maps.Keys(retire)) {
		for _, k := range in.Keys[domain] {
			file := KeyFile(domain, k.Selector)
			if slices.Contains(retire[domain], k.Selector) && !k.Adopted && k.File == string(file) && !needed[k.File] {
				list = append(list, file)
			}
		}
		list = append(list, KeyDir.Join(domain))
	}
	return list
}

// farewell says what becomes of what a removed domain had in DNS.
func farewell(in Input) []state.Note {
	var notes []state.Note
	for _, d := range in.Removed {
		if in.Spec.DNSOf(d) == spec.DNSManual {
			notes = append(notes, takenOut(in, d))
			if d.WildcardRecords == spec.Copy {
				notes = append(notes, state.Note{
					Topic: "dns", Text: "once its key record is out as well, so are the copies of what a wildcard of the zone says at " + d.Name + " and below it: the wildcard answers again",
				})
			}
		}
		notes = append(notes, lastKeys(in, d)...)
	}
	return notes
}

// takenOut lists the records of a domain that go at once, but for those that
// zones here have of it.
func takenOut(in Input, d spec.Domain) state.Note {
	var lines []string
	rrs := Records(in.Spec.Host, d, nil)
	if !consents(in, d) {
		rrs = append(rrs, authorisable(in, d)...)
	}
	for _, r := range rrs {
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Name, r.Type, r.Value))
	}
	return state.Note{
		Topic: "dns", Text: "take these records out of the DNS of " + d.Name + ", if nobody else needs them",
		Do: strings.Join(append(lines, ""), "\n"),
	}
}

// lastKeys says until when the keys of a removed domain stay, or what it costs
// that they do not.
func lastKeys(in Input, d spec.Domain) []state.Note {
	until := in.Now.Add(in.Spec.Host.Drain)
	for _, k := range in.Keys[d.Name] {
		switch {
		case k.Stage == keyring.Gone || k.Stage == keyring.Revoked:
		case slices.Contains(in.Retire[d.Name], k.Selector):
			return []state.Note{{
				Topic: "dkim", Text: "mail of " + d.Name + " that is under way will no longer verify: its key goes at once",
			}}
		default:
			return []state.Note{{
				Topic: "dkim",
				Text: fmt.Sprintf("the key record of %s stays in DNS until %s, for mail that is under way; take it out after that",
					d.Name, until.Format("2006-01-02 15:04 MST")),
				Do: "mailsetup rotate-dkim",
			}}
		}
	}
	return nil
}
