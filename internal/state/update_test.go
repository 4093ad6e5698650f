package state_test

import (
	"testing"

	"mailsetup/internal/state"
)

// What the undo of an update puts back must not contradict what others published
// meanwhile, and nothing else stands in its way.
func TestDueBesideOtherTexts(t *testing.T) {
	txt := func(name, value string) state.Record {
		return state.Record{Name: name, Type: "TXT", TTL: 3600, Value: value}
	}
	const host, policy, key = "lab.example.", "_dmarc.lab.example.", "s._domainkey.lab.example."
	for _, tt := range []struct {
		name        string
		back, there state.Record
		refused     bool
	}{
		{"another SPF record", txt(host, "v=spf1 -all"), txt("LAB.example.", "V=SPF1 mx -all"), true},
		{"a text of another version", txt(host, "v=spf1 -all"), txt(host, "v=spf10 -all"), false},
		{"the proof of an owner", txt(host, "v=spf1 -all"), txt(host, "google-site-verification=x"), false},
		{"another policy", txt(policy, "v=DMARC1; p=none"), txt(policy, "v=DMARC1; p=reject"), true},
		{"another key", txt(key, "v=DKIM1; p=a"), txt(key, "p=b"), true},
		{"an address", state.Record{Name: host, Type: "A", Value: "192.0.2.1"}, state.Record{Name: host, Type: "A", Value: "192.0.2.2"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			undo := state.Update{Remove: []state.Record{tt.back}}.Inverse()
			add, remove, err := undo.Pending([]state.Record{tt.there})
			if (err != nil) != tt.refused {
				t.Fatalf("error %v, want one: %v", err, tt.refused)
			}
			if !tt.refused && (len(add) != 1 || add[0] != tt.back || len(remove) > 0) {
				t.Errorf("adds %v, removes %v; want %v back", add, remove, tt.back)
			}
		})
	}
}
