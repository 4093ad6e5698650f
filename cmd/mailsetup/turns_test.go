package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

// The steps of a round in words.
func TestLines(t *testing.T) {
	s, _, said, want := bareSession(t)
	s.turned = newTurned()
	s.keys = keyring.Ledger{"lab.example": {key("s1", keyring.Draining), key("s2", keyring.Active), key("s3", keyring.Published)}}
	run := &turning{s: s, old: &want}
	run.due = map[string][]keyring.Move{"lab.example": {
		{Act: keyring.Make, Why: "s2 is old enough"},
		{Act: keyring.Confirm, Selector: "s3"},
		{Act: keyring.Doubt, Selector: "s3", Why: "ns2: missing"},
		{Act: keyring.Switch, Selector: "s3", Why: "it may"},
		{Act: keyring.Revoke, Selector: "s1", Why: "it must"},
		{Act: keyring.Withdraw, Selector: "s1", Why: "it is time"},
	}}
	run.announce([]string{"lab.example"})
	run.record([]string{"lab.example"})
	if len(s.turned.Steps) != 6 || s.turned.Steps[3] != (keyStep{"lab.example", "s3", "switch", "it may"}) {
		t.Errorf("steps %v", s.turned.Steps)
	}
	const lines = `lab.example: a new key, since s2 is old enough. It signs when every name server has had its record for 1h, or longer if caches may keep that there was none; s2 leaves DNS 14d later.
lab.example: s3 is seen everywhere, and signs at 2026-11-22 11:00 UTC at the earliest
lab.example: s3 has to wait again: ns2: missing
lab.example: s3 signs instead of s2: it may
lab.example: s1 gets an empty p=: it must
lab.example: s1 goes: it is time
`
	if got := strings.ReplaceAll(said.String(), "\n", " "); got != strings.ReplaceAll(lines, "\n", " ") {
		t.Errorf("said\n%s\nwant\n%s", said, lines)
	}
	if observed(run.due) {
		t.Error("a switch needs a plan")
	}
	if !observed(map[string][]keyring.Move{"lab.example": {{Act: keyring.Confirm, Selector: "s3"}}}) {
		t.Error("to have seen a record needs no plan")
	}
	want.Host.Revoke = 30 * 24 * time.Hour
	s.keys["lab.example"][1].Compromised = true
	if got := run.prospect("lab.example"); got != "It signs as soon as every name server has its record." {
		t.Errorf("in an emergency: %q", got)
	}
	s.keys["lab.example"][1].Compromised = false
	if got := run.prospect("lab.example"); !strings.HasSuffix(got, "s2 is revoked 14d later.") {
		t.Errorf("with revoke: %q", got)
	}
}

// Many domains and long names fit 80 columns, but for names that are longer.
func TestStatuses(t *testing.T) {
	s, _, _, want := bareSession(t)
	var out bytes.Buffer
	s.c.out = &out
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example"
	want.Domains = append([]spec.Domain{{Name: long}}, want.Domains...)
	next := key("202612-abcd", keyring.Publishing)
	next.Since = map[keyring.Stage]time.Time{keyring.Publishing: s.Now.Add(-90 * time.Minute)}
	s.keys = keyring.Ledger{
		"lab.example": {key("gone", keyring.Gone), key("202610", keyring.Draining), key("202611", keyring.Active), next},
		long:          {key("202611", keyring.Active)},
	}
	s.passed = keyring.Passed{}.Count(s.keys, keyring.Reading{Boot: "b", At: 0}).Count(s.keys, keyring.Reading{Boot: "b", At: 13 * 24 * time.Hour})
	(&turning{s: s, old: &want}).statuses()
	if want := `DOMAIN              KEY          STATE       SINCE    NEXT STEP   WAITS FOR
` + long + `
                    202611       active      0m ago   2027-05-08  age
lab.example         202610       draining    0m ago   in 24h      mail under way
lab.example         202611       active      0m ago   -           successor
lab.example         202612-abcd  publishing  90m ago  -           name servers
`; out.String() != want {
		t.Errorf("it is\n%s\nwant\n%s", &out, want)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 && !strings.HasPrefix(line, long) {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if got := (&turning{s: s, old: &want, trouble: map[string]bool{long: true}}).list(); !slices.ContainsFunc(got, func(k keyStatus) bool { return k.Selector == "202610" && k.Waits == "mail under way" }) {
		t.Errorf("%v", got)
	}
}

// Of a domain that a run went on without, the reason was said.
func TestStatusesOfNobody(t *testing.T) {
	s, _, _, want := bareSession(t)
	var out bytes.Buffer
	s.c.out = &out
	s.keys = keyring.Ledger{"lab.example": {key("202611", keyring.Active)}}
	(&turning{s: s, old: &want, trouble: map[string]bool{"lab.example": true}}).statuses()
	if out.Len() > 0 {
		t.Errorf("it is\n%s", &out)
	}
	s.keys = keyring.Ledger{}
	(&turning{s: s, old: &want}).statuses()
	if out.String() != "No keys.\n" {
		t.Errorf("it is %q", &out)
	}
}

// What a run published itself has time until the next one; in an emergency that
// is over only when another key signs. Once a day is enough, unless one asks.
func TestWaiting(t *testing.T) {
	for name, tc := range map[string]struct {
		asked rotateOptions
		made  bool
		tells int // of two runs
	}{
		"a tick that made it":         {rotateOptions{}, true, 0},
		"a later tick":                {rotateOptions{}, false, 1},
		"asked for, made":             {rotateOptions{rotate: true}, true, 0},
		"asked for, on its way":       {rotateOptions{rotate: true}, false, 2},
		"an emergency":                {rotateOptions{compromised: true}, true, 2},
		"an emergency that was begun": {rotateOptions{compromised: true}, false, 2},
	} {
		s, _, said, want := bareSession(t)
		want.Host.DNS = spec.DNSBind
		s.turned = newTurned()
		s.keys = keyring.Ledger{"lab.example": {key("s1", keyring.Active), key("s2", keyring.Publishing)}}
		run := &turning{s: s, old: &want, asked: tc.asked, made: map[string]bool{"lab.example": tc.made}}
		run.sight = map[string]map[string]keyring.Sight{"lab.example": {"s2": {Text: "ns2: missing"}}}
		tells := 0
		for range 2 {
			if err := run.waiting(t.Context()); errors.Is(err, errProblemsFound) {
				tells++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if tells != tc.tells || strings.Count(said.String(), "s2 does not sign yet, s1 goes on: ns2: missing") != tells || len(s.turned.Waits) != tells {
			t.Errorf("%s: told %d times, want %d\n%s", name, tells, tc.tells, said)
		}
	}
}
