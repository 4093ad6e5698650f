package main

import (
	"slices"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

func ledgerChange(before, after state.Object) plan.Change {
	return plan.Change{Path: keyring.File("lab.example"), Before: before, After: after}
}

// A rollback makes a key sign again that had stopped; its record may be gone.
func TestSigningAgain(t *testing.T) {
	turned := ledger(key("s1", keyring.Draining), key("s2", keyring.Active))
	was := ledger(key("s1", keyring.Active), key("s2", keyring.Published))
	for name, tc := range map[string]struct {
		changes []plan.Change
		want    []string
	}{
		"a switch taken back":   {[]plan.Change{ledgerChange(turned, was)}, []string{"s1"}},
		"in two steps":          {[]plan.Change{ledgerChange(turned, turned), ledgerChange(turned, was)}, []string{"s1"}},
		"a removal taken back":  {[]plan.Change{ledgerChange(ledger(key("s1", keyring.Draining)), ledger(key("s1", keyring.Active)))}, []string{"s1"}},
		"a sighting taken back": {[]plan.Change{ledgerChange(was, ledger(key("s1", keyring.Active), key("s2", keyring.Publishing)))}, nil},
		"a first run":           {[]plan.Change{ledgerChange(ledger(key("s1", keyring.Active)), state.Object{})}, nil},
		"another file":          {[]plan.Change{{Path: "/etc/opendkim/KeyTable"}}, nil},
	} {
		var got []string
		for _, k := range signingAgain(plan.Plan{Stages: []plan.StageChanges{{Changes: tc.changes}}}) {
			got = append(got, k.Selector)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestPublishesItself(t *testing.T) {
	name := "s1._domainkey.lab.example."
	fragment := plan.Plan{Stages: []plan.StageChanges{{Changes: []plan.Change{{
		Path: "/etc/bind/mailsetup/lab.example.zone", After: state.Object{Content: []byte(name + " 60 IN TXT \"v=DKIM1; p=\"\n")},
	}}}}}
	update := plan.Plan{Stages: []plan.StageChanges{{Updates: []state.Update{{Add: []state.Record{{Name: "S1._domainkey.lab.example.", Type: "TXT"}}}}}}}
	for i, p := range []plan.Plan{fragment, update} {
		if !publishes(p, "lab.example", key("s1", keyring.Active)) || publishes(p, "lab.example", key("s2", keyring.Active)) {
			t.Errorf("plan %d publishes %s, and nothing else", i, name)
		}
	}
}
