package steps_test

import (
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

func stepNames(list []step.Step) string {
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func TestRotatingSteps(t *testing.T) {
	for want, acts := range map[string][]keyring.Action{
		"Keys Ledger":                                     {keyring.ConfirmPublished, keyring.LostPublished},
		"Keys DNS Ledger":                                 {keyring.Generate},
		"Keys DeferMail OpenDKIM Exim Ledger":             {keyring.Activate},
		"Keys OldKeys Ledger":                             {keyring.Withdraw},
		"Keys DNS DeferMail OpenDKIM Exim OldKeys Ledger": {keyring.Activate, keyring.Revoke, keyring.Withdraw},
	} {
		var moves []keyring.Transition
		for _, a := range acts {
			moves = append(moves, keyring.Transition{Action: a})
		}
		if got := stepNames(steps.Rotation(moves)); got != want {
			t.Errorf("%v: %s, want %s", acts, got, want)
		}
	}
}
