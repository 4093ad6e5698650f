package inventory_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/inventory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	made = noon.AddDate(0, -1, 0)
)

func key(selector string, stage keyring.Stage, since time.Time) keyring.Key {
	return keyring.Key{
		Selector: selector, Bits: 2048, Stage: stage,
		Since: map[keyring.Stage]time.Time{keyring.Staged: made, stage: since},
	}
}

// server has a primary with two keys and one that is gone, a domain without a key,
// and two that were removed, of which one has no key any more.
func server() inventory.Sources {
	return inventory.Sources{
		Spec: spec.Spec{
			Host: spec.Host{Domain: "lab.example", DNS: spec.DNSBind, Drain: 14 * 24 * time.Hour},
			Domains: []spec.Domain{
				{Name: "new.example", Selector: "later", DNS: spec.DNSManual},
				{Name: "lab.example", Selector: "now"},
			},
		},
		Ledger: keyring.Ledger{
			"lab.example": {
				key("gone", keyring.Gone, made), key("old", keyring.Draining, noon.AddDate(0, 0, -4)), key("now", keyring.Active, made),
			},
			"alone.example": {key("left", keyring.Active, made)},
			"past.example":  {key("gone", keyring.Gone, made)},
		},
		Checks: map[string]keyring.LastCheck{
			"lab.example": {
				At: noon.Add(-time.Hour), Found: "ns2 has another key", Seen: map[string]time.Time{"now": noon.Add(-2 * time.Hour)},
				Watch: keyring.Watch{Problems: map[string]keyring.Problem{
					"old._domainkey.lab.example TXT": {Since: noon.Add(-time.Hour), Text: "missing", Gone: true},
					"ns2.lab.example":                {Since: noon.Add(-time.Hour), Text: "does not answer"},
				}},
			},
		},
		StageWithoutFile: func(string, keyring.Key) keyring.Stage { return "unused" },
		Now:              noon,
	}
}

func TestDomains(t *testing.T) {
	const want = `[
 {
  "domain": "alone.example",
  "removed": true,
  "keys": [
   {
    "domain": "alone.example",
    "selector": "left",
    "bits": 2048,
    "stage": "unused",
    "made": "2026-10-24T12:00:00Z"
   }
  ]
 },
 {
  "domain": "lab.example",
  "primary": true,
  "dns": "bind",
  "keys": [
   {
    "domain": "lab.example",
    "selector": "old",
    "bits": 2048,
    "stage": "draining",
    "made": "2026-10-24T12:00:00Z",
    "next": "2026-12-04T12:00:00Z",
    "gone": "missing"
   },
   {
    "domain": "lab.example",
    "selector": "now",
    "bits": 2048,
    "stage": "active",
    "made": "2026-10-24T12:00:00Z",
    "seen": "2026-11-24T10:00:00Z"
   }
  ],
  "checked": {
   "at": "2026-11-24T11:00:00Z",
   "ok": false,
   "found": "ns2 has another key",
   "problems": [
    {
     "domain": "lab.example",
     "about": "old._domainkey.lab.example TXT",
     "since": "2026-11-24T11:00:00Z",
     "status": "",
     "found": "missing",
     "gone": true
    }
   ]
  }
 },
 {
  "domain": "new.example",
  "dns": "manual",
  "keys": []
 }
]`
	if got := data(t, server()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A key that should sign and cannot is told of, in the word of `mailsetup status`.
func TestUnusableKey(t *testing.T) {
	s := server()
	s.Unusable = map[string]error{"lab.example": errors.New("/k is no private key")}
	list := s.Domains()
	if k := list[1].Keys[1]; k.Unusable != "/k is no private key" || k.State != keyring.Active || list[1].Keys[0].Unusable != "" {
		t.Errorf("%+v", list[1].Keys)
	}
	if got := inventory.Table(list, noon); !strings.Contains(got, "lab.example    now       31d  unusable ") {
		t.Errorf("got\n%s", got)
	}
}

// Without root there seem to be no keys: the spec says which selector signs, and no
// state is made up.
func TestDomainsWithoutRoot(t *testing.T) {
	s := server()
	s.Ledger, s.KeysUnknown = nil, true
	for _, d := range s.Domains() {
		want := map[string]inventory.Key{"lab.example": {Selector: "now"}, "new.example": {Selector: "later"}}[d.Domain]
		if len(d.Keys) != 1 || d.Keys[0] != want {
			t.Errorf("%s: %+v, want %+v", d.Domain, d.Keys, want)
		}
	}
}

// The record of a key that no longer signs stays for as long as its stage lasts: by the
// time that certainly passed, where that is known.
func TestUntil(t *testing.T) {
	stolen := key("stolen", keyring.Revoked, noon.AddDate(0, 0, -4))
	stolen.Compromised = true
	revoked := key("revoked", keyring.Revoked, noon.AddDate(0, 0, -4))
	for _, tt := range []struct {
		name   string
		passed map[string]time.Duration
		want   map[string]time.Time
	}{
		{"by the wall clock", nil, map[string]time.Time{"revoked": noon.AddDate(0, 0, 3), "stolen": noon.AddDate(0, 0, 10)}},
		{"a machine that was off", map[string]time.Duration{"revoked": 24 * time.Hour, "stolen": 0}, map[string]time.Time{"revoked": noon.AddDate(0, 0, 6), "stolen": noon.AddDate(0, 0, 14)}},
	} {
		s := server()
		s.Spec.Host.Revoke = 7 * 24 * time.Hour
		s.Ledger = keyring.Ledger{"lab.example": {revoked, key("now", keyring.Active, made)}, "alone.example": {stolen}}
		s.StageWithoutFile = func(_ string, k keyring.Key) keyring.Stage { return k.Stage }
		if tt.passed != nil {
			s.InStage = func(string, []keyring.Key) map[string]time.Duration { return tt.passed }
		}
		got := map[string]time.Time{}
		for _, d := range s.Domains() {
			for _, k := range d.Keys {
				if !k.Until.IsZero() {
					got[k.Selector] = k.Until
				}
			}
		}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The next run revokes a compromised key that drains: no time is promised, but for a
// removed domain, whose keys are not revoked.
func TestUntilOfACompromisedKey(t *testing.T) {
	s := server()
	stolen := key("stolen", keyring.Draining, noon.AddDate(0, 0, -4))
	stolen.Compromised = true
	s.Ledger = keyring.Ledger{"lab.example": {stolen}, "gone.example": {stolen}}
	s.StageWithoutFile = func(_ string, k keyring.Key) keyring.Stage { return k.Stage }
	until := map[string]time.Time{}
	for _, d := range s.Domains() {
		for _, k := range d.Keys {
			until[d.Domain] = k.Until
		}
	}
	if !until["lab.example"].IsZero() || !until["gone.example"].Equal(noon.AddDate(0, 0, 10)) {
		t.Errorf("%v", until)
	}
}

// What the ledger says of when a record was seen comes before what checks found.
func TestSeenFirst(t *testing.T) {
	s := server()
	s.Ledger["lab.example"][2].Seen = made.Add(time.Hour)
	for _, d := range s.Domains() {
		if d.Domain == "lab.example" && !d.Keys[1].Seen.Equal(made.Add(time.Hour)) {
			t.Errorf("seen %v", d.Keys[1].Seen)
		}
	}
}

// A program that reads --json gets a list even from a server without domains.
func TestNoDomains(t *testing.T) {
	if got := data(t, inventory.Sources{}); got != "[]" {
		t.Errorf("got %s", got)
	}
}

func data(t *testing.T, s inventory.Sources) string {
	t.Helper()
	b, err := json.MarshalIndent(inventory.Document(s.Domains()).Domains, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
