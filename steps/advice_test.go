package steps_test

import (
	"slices"
	"testing"

	"mailsetup/internal/keyring"
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

// Who edits the selector of a domain is told that no key follows it.
func TestASelectorThatWasEdited(t *testing.T) {
	in := steptest.Manual()
	d := in.Spec.Domains[0]
	in.Ledger = keyring.Ledger{d.Name: {{Selector: "202611", Stage: keyring.Draining}, {Selector: "202705", Stage: keyring.Active, File: "/k"}}}
	note := func() string {
		for _, n := range steps.Advice(in) {
			if n.Topic == "selector" {
				return n.Text + "; " + n.Action
			}
		}
		return ""
	}
	in.Spec.Domains[0].Selector = "202611"
	if got := note(); got != "" {
		t.Errorf("the selector of its first key: %s", got)
	}
	in.Spec.Domains[0].Selector = "mine"
	want := `lab.example signs with 202705. The selector "mine" in /etc/mailsetup/domains.d/lab.example.toml is of no key that it ever had, and is not followed: that of a key never changes; write back: selector = "202611"; mailsetup rotate-dkim --now lab.example brings another key, with a selector of its own`
	if got := note(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
