package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

func key(selector string, stage keyring.Stage) keyring.Key {
	return keyring.Key{Selector: selector, Bits: 2048, Stage: stage, Since: map[keyring.Stage]time.Time{stage: november}}
}

func withPublic(k keyring.Key, public string) keyring.Key {
	k.Public = public
	return k
}

// Who has read a directory of keys has all of them, and one that signs for
// several domains is lost for all. An emergency that goes on is none anew.
func TestBetray(t *testing.T) {
	s, _, said, want := bareSession(t)
	s.keys = keyring.Ledger{
		"lab.example":  {withPublic(key("s0", keyring.Gone), "A"), withPublic(key("s1", keyring.Draining), "B"), withPublic(key("s2", keyring.Active), "C"), withPublic(key("s3", keyring.Published), "D")},
		"shop.example": {withPublic(key("other", keyring.Active), "C")},
		"b.example":    {withPublic(key("s2", keyring.Active), "E")},
	}
	run := &turning{s: s, old: &want, due: map[string][]keyring.Move{}, asked: rotateOptions{domains: []string{"lab.example"}, compromised: true}}
	run.betray()
	var lost []string
	for _, domain := range sortedKeys(s.keys) {
		for _, k := range s.keys[domain] {
			if k.Compromised {
				lost = append(lost, domain+" "+k.Selector)
			}
		}
	}
	if want := []string{"lab.example s1", "lab.example s2", "lab.example s3", "shop.example other"}; !slices.Equal(lost, want) {
		t.Errorf("lost are %q, want %q", lost, want)
	}
	if !run.about("shop.example") || run.about("b.example") || len(run.due) != 2 {
		t.Errorf("the run is about %q, %v", run.asked.domains, run.due)
	}
	text := strings.Join(strings.Fields(said.String()), " ")
	for _, want := range []string{
		"shop.example: signs with the same private key as lab.example",
		"Then s2 is revoked at once: mail that it signed and that is still under way fails.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing of %q in\n%s", want, text)
		}
	}
	said.Reset()
	run.made = nil // the next run
	s.keys["lab.example"] = append(s.keys["lab.example"], key("s4", keyring.Publishing))
	run.betray()
	if keys := s.keys["lab.example"]; keys[4].Compromised || said.Len() > 0 {
		t.Errorf("its successor is lost, too: %+v\n%s", keys[4], said)
	}
}

// Only what signs can be replaced, and what is to be done about the rest is said.
func TestWhoseKeysCanBeReplaced(t *testing.T) {
	s := newSession(state.Facts{})
	s.keys = keyring.Ledger{
		"lab.example": {key("s1", keyring.Active)}, "removed.example": {key("s1", keyring.Draining)},
		"first.example": {key("s1", keyring.Publishing)}, "gone.example": {key("s1", keyring.Gone)},
	}
	for _, tc := range []struct {
		domain string
		begins bool
		want   string
	}{
		{"lab.example", true, ""},
		{"lab.example", false, ""},
		{"removed.example", false, ""},
		{"removed.example", true, "removed.example was removed: no key signs for it that another one could replace"},
		{"first.example", true, "the first key of first.example is not finished"},
		{"gone.example", false, "gone.example has no keys here"},
		{"unknown.example", false, "unknown.example has no keys here"},
	} {
		err := (&turning{s: s, asked: rotateOptions{domains: []string{tc.domain}, rotate: tc.begins}}).known()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.domain, got, tc.want)
		}
	}
}
