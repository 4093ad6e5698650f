package records

import (
	"fmt"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

// RevocationNotes lists the records of keys revoked in this run that somebody else has
// to publish.
func RevocationNotes(in step.Input) []state.Note {
	var notes []state.Note
	for d := range in.Scope.Domains(in.Spec) {
		early := in.Keys.During[d.Name]
		for _, k := range in.Ledger[d.Name] {
			was := keyring.Index(early, k.Selector)
			if in.Spec.ByHand(d) && !Delegates(in.Spec, d) && k.SlotZone == "" && k.Stage == keyring.Revoked && was >= 0 && early[was].Stage != keyring.Revoked {
				notes = append(notes, RevocationNote(dnsname.Key(k.Selector, d.Name)))
			}
		}
	}
	return notes
}

// RevocationNote returns the request to publish an empty p= instead of a key, whose
// name has no final dot.
func RevocationNote(name string) state.Note {
	return state.Note{
		Topic: "dkim", Text: "put this in the place of the record that is there, or whoever has the private key goes on passing for you",
		Action: fmt.Sprintf("%s. TXT %q", name, keygen.Record("")),
	}
}
