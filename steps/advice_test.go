package steps_test

import (
	"slices"
	"testing"

	"mailsetup/steps"
	"mailsetup/steps/steptest"
)

// A flag without --domain means the primary domain: what a note says to type
// must be about the domain it names.
func TestTheNoteOnReportsNamesItsDomain(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].DMARC.RUA = nil
	}
	var got []string
	for _, n := range steps.Advice(in) {
		if n.Topic == "dmarc" {
			got = append(got, n.Action)
		}
	}
	want := []string{
		"mailsetup init --rua ADDRESS",
		"mailsetup init --domain shop.example --rua ADDRESS",
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes say\n%q, want\n%q", got, want)
	}
}
