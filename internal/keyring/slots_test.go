package keyring_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

var slotsNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func slotKey(selector, public string, stage keyring.Stage) keyring.Key {
	return keyring.Key{Selector: selector, Bits: 2048, Public: public, Fingerprint: "SHA256:" + public, SlotZone: "dkim.ours.example"}.At(stage, slotsNow)
}

func ourSlots() keyring.Slots {
	return keyring.Slots{Zone: "dkim.ours.example", Selectors: []string{"mx1", "mx2", "mx3"}}
}

// A slot may have one key after the other, each known by its fingerprint, and one at a time.
func TestLedgerOfSlots(t *testing.T) {
	gone, now := slotKey("mx1", "AAAA", keyring.Gone), slotKey("mx1", "BBBB", keyring.Active)
	gone.Cleared = slotsNow
	own := keyring.Key{Selector: "mx1", Fingerprint: "SHA256:own", Stage: keyring.Gone}
	for _, tt := range []struct {
		name string
		keys []keyring.Key
		says string
	}{
		{"one after the other", []keyring.Key{gone, now}, ""},
		{"two that are gone", []keyring.Key{gone, slotKey("mx1", "CCCC", keyring.Gone), now}, ""},
		{"two at a time", []keyring.Key{slotKey("mx1", "AAAA", keyring.Draining), now}, `selector "mx1": used for two keys`},
		{"the same key twice", []keyring.Key{gone, gone}, `selector "mx1": the same key twice`},
		{"a selector of its own comes back", []keyring.Key{own, now}, `selector "mx1": used for two keys`},
	} {
		text := keyring.MarshalDomain(tt.keys)
		keys, err := keyring.ParseDomain(text)
		if tt.says != "" {
			if err == nil || !strings.HasSuffix(err.Error(), tt.says) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || !keyring.EqualOnDisk(keys, tt.keys) || !keys[0].Cleared.Equal(slotsNow) || keys[0].SlotZone != "dkim.ours.example" {
			t.Errorf("%s: %v %+v", tt.name, err, keys)
		}
	}
	if text := string(keyring.MarshalDomain([]keyring.Key{own})); strings.Contains(text, "slot") || strings.Contains(text, "cleared") {
		t.Errorf("a ledger without slots reads differently than before: %s", text)
	}
}

// A key that is new in a slot takes the place of nothing.
func TestPutIntoASlot(t *testing.T) {
	gone, next := slotKey("mx1", "AAAA", keyring.Gone), slotKey("mx1", "BBBB", keyring.Publishing)
	placeholder := next
	placeholder.Public, placeholder.Fingerprint = keyring.Placeholder, ""
	l := keyring.Ledger{"d.example": {gone}}.Put("d.example", placeholder).Put("d.example", next)
	if keys := l["d.example"]; len(keys) != 2 || keys[0].Public != "AAAA" || keys[1].Public != "BBBB" {
		t.Fatalf("%+v", keys)
	}
	if i := keyring.Index(l["d.example"], "MX1"); i != 1 {
		t.Errorf("the key of the slot is %d", i)
	}
	if keys := l.Without("d.example", "mx1")["d.example"]; len(keys) != 1 || keys[0].Public != "AAAA" {
		t.Errorf("without it: %+v", keys)
	}
	keys := keyring.Apply(l["d.example"], keyring.Transition{Action: keyring.ConfirmPublished, Selector: "mx1"}, slotsNow)
	if keys[0].Stage != keyring.Gone || keys[1].Stage != keyring.Published {
		t.Errorf("a step of the one is not a step of the other: %+v", keys)
	}
	if n := keyring.FileNumber(l["d.example"], "mx1"); n != 3 {
		t.Errorf("the next file is number %d", n)
	}
}

// Time that a key was in a stage does not count for the next one in its slot.
func TestElapsedInASlot(t *testing.T) {
	at := func(d time.Duration) keyring.BootTime { return keyring.BootTime{Boot: "b", At: d} }
	revoked := slotKey("mx1", "AAAA", keyring.Revoked)
	in := func(k keyring.Key, p keyring.Elapsed) time.Duration {
		return p.InStage("d.example", []keyring.Key{k})["mx1"]
	}
	p := keyring.Elapsed{}.Advance(keyring.Ledger{"d.example": {revoked}}, at(0))
	p = p.Advance(keyring.Ledger{"d.example": {revoked}}, at(time.Hour))
	if in(revoked, p) != 0 {
		t.Errorf("an empty p= that not everybody has counts for %v", in(revoked, p))
	}
	cleared := revoked
	cleared.Cleared = slotsNow
	p = p.Advance(keyring.Ledger{"d.example": {cleared}}, at(2*time.Hour))
	p = p.Advance(keyring.Ledger{"d.example": {cleared}}, at(5*time.Hour))
	if in(cleared, p) != 3*time.Hour {
		t.Errorf("one that everybody has counts for %v", in(cleared, p))
	}
	other := slotKey("mx1", "BBBB", keyring.Revoked)
	other.Cleared = slotsNow
	p = p.Advance(keyring.Ledger{"d.example": {slotKey("mx1", "AAAA", keyring.Gone), other}}, at(9*time.Hour))
	if in(other, p) != 0 {
		t.Errorf("the next key begins with %v", in(other, p))
	}
}

// The slot that was not used for the longest time is next, and none that anybody may
// remember a key of.
func TestFreeSlot(t *testing.T) {
	gone := func(selector string, ago time.Duration, cleared bool) keyring.Key {
		k := slotKey(selector, selector, keyring.Gone)
		k.Since[keyring.Gone] = slotsNow.Add(-ago)
		if cleared {
			k.Cleared = slotsNow.Add(-ago)
		}
		return k
	}
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name, want string
		keys       []keyring.Key
	}{
		{"a new domain", "mx1", nil},
		{"the next one", "mx2", []keyring.Key{slotKey("mx1", "AAAA", keyring.Active)}},
		{"the oldest", "mx2", []keyring.Key{gone("mx1", day, true), gone("mx2", 2*day, true), slotKey("mx3", "AAAA", keyring.Active)}},
		{"used again since", "mx1", []keyring.Key{gone("mx2", 90*day, true), gone("mx1", 30*day, true), slotKey("mx3", "AAAA", keyring.Active), slotKey("mx2", "BBBB", keyring.Draining)}},
		{"went yesterday without an empty p=", "", []keyring.Key{gone("mx1", day, false), slotKey("mx2", "AAAA", keyring.Active), slotKey("mx3", "BBBB", keyring.Draining)}},
		{"went a week ago without one", "mx1", []keyring.Key{gone("mx1", 7*day, false), slotKey("mx2", "AAAA", keyring.Active), slotKey("mx3", "BBBB", keyring.Draining)}},
		{"was no slot once", "mx2", []keyring.Key{{Selector: "mx1", Stage: keyring.Gone}}},
		{"all in use", "", []keyring.Key{slotKey("mx1", "AAAA", keyring.Revoked), slotKey("mx2", "BBBB", keyring.Active), slotKey("mx3", "CCCC", keyring.Draining)}},
	} {
		if got := ourSlots().Free(tt.keys, slotsNow); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Every slot has a record, so that no CNAME leads nowhere; a key that was in another slot
// zone keeps its CNAME.
func TestRecordsOfSlots(t *testing.T) {
	elsewhere := slotKey("mx3", "CCCC", keyring.Draining)
	elsewhere.SlotZone = "old.example"
	keys := []keyring.Key{
		slotKey("mx1", "AAAA", keyring.Gone), slotKey("mx1", "BBBB", keyring.Active), slotKey("mx2", "DDDD", keyring.Revoked), elsewhere,
		{Selector: "202611", Public: "EEEE", Stage: keyring.Draining},
	}
	const k = "v=DKIM1; h=sha256; k=rsa; p="
	want := []state.Record{
		{Name: "mx1._domainkey.d.example.dkim.ours.example.", Type: "TXT", TTL: 300, Value: k + "BBBB"},
		{Name: "mx2._domainkey.d.example.dkim.ours.example.", Type: "TXT", TTL: 300, Value: k},
		{Name: "mx3._domainkey.d.example.old.example.", Type: "TXT", TTL: 300, Value: k + "CCCC"},
		{Name: "mx3._domainkey.d.example.dkim.ours.example.", Type: "TXT", TTL: 300, Value: k},
	}
	if got := ourSlots().Records("d.example", keys, 300); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	want = []state.Record{
		{Name: "mx1._domainkey.d.example.", Type: "CNAME", TTL: 300, Value: "mx1._domainkey.d.example.dkim.ours.example."},
		{Name: "mx2._domainkey.d.example.", Type: "CNAME", TTL: 300, Value: "mx2._domainkey.d.example.dkim.ours.example."},
		{Name: "mx3._domainkey.d.example.", Type: "CNAME", TTL: 300, Value: "mx3._domainkey.d.example.old.example."},
	}
	if got := ourSlots().Aliases("d.example", keys, 300); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// situation has keys of a domain, all of them long in their stages.
func slotSituation(s keyring.Slots, keys ...keyring.Key) keyring.Situation {
	out := keyring.Situation{
		Keys: keys, Policy: keyring.Policy{Drain: 14 * 24 * time.Hour, Lag: time.Hour}, Now: slotsNow, Slots: s,
		Elapsed: map[string]time.Duration{}, Observations: map[string]keyring.Observation{},
	}
	for _, k := range keys {
		out.Elapsed[k.Selector] = 400 * 24 * time.Hour
	}
	return out
}

// A domain moves into its slots and out of them with a key that is seen everywhere first.
func TestMoveIntoSlots(t *testing.T) {
	own := keyring.Key{Selector: "202611", Stage: keyring.Active}
	for _, tt := range []struct {
		name string
		s    keyring.Situation
		want keyring.Transition
	}{
		{"in", slotSituation(ourSlots(), own), keyring.Transition{Action: keyring.Generate, Why: "202611 is not in a slot of dkim.ours.example"}},
		{"out", slotSituation(keyring.Slots{}, slotKey("mx1", "AAAA", keyring.Active)), keyring.Transition{Action: keyring.Generate, Why: "mx1 is in a slot, and new keys have a selector of their own"}},
		{"stays", slotSituation(ourSlots(), slotKey("mx1", "AAAA", keyring.Active)), keyring.Transition{}},
		{"stays out", slotSituation(keyring.Slots{}, own), keyring.Transition{}},
	} {
		got := keyring.Next(tt.s)
		if tt.want == (keyring.Transition{}) && len(got) == 0 {
			continue
		}
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// What a drained slot waits for, step by step.
func TestASlotIsCleared(t *testing.T) {
	active := slotKey("mx2", "BBBB", keyring.Active)
	seen := keyring.Observation{Published: true, MaxCacheTTL: time.Hour}
	next := func(k keyring.Key, sight keyring.Observation, elapsed time.Duration) keyring.Action {
		s := slotSituation(ourSlots(), k, active)
		s.Elapsed["mx1"], s.Observations["mx1"] = elapsed, sight
		moves := keyring.Next(s)
		if len(moves) == 0 {
			return ""
		}
		return moves[0].Action
	}
	const day = 24 * time.Hour
	drains, revoked := slotKey("mx1", "AAAA", keyring.Draining), slotKey("mx1", "AAAA", keyring.Revoked)
	cleared := revoked
	cleared.Cleared = slotsNow
	for _, tt := range []struct {
		name    string
		key     keyring.Key
		sight   keyring.Observation
		elapsed time.Duration
		want    keyring.Action
	}{
		{"mail is under way", drains, keyring.Observation{}, 14*day - 1, ""},
		{"it has arrived", drains, keyring.Observation{}, 14 * day, keyring.Revoke},
		{"a server has the key still", revoked, keyring.Observation{Problem: "ns2 has it"}, 0, ""},
		{"everybody has the empty p=", revoked, seen, 0, keyring.ConfirmPublished},
		{"for six days", cleared, seen, 6 * day, ""},
		{"for a week", cleared, seen, 7 * day, keyring.Withdraw},
		{"an old value again", cleared, keyring.Observation{Problem: "ns2 has it"}, 7 * day, keyring.LostPublished},
		{"a TTL of ten days", cleared, keyring.Observation{Published: true, MaxCacheTTL: 10 * day}, 9 * day, ""},
	} {
		if got := next(tt.key, tt.sight, tt.elapsed); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	removed := slotSituation(ourSlots(), revoked)
	removed.Removed = true
	if moves := keyring.Next(removed); len(moves) != 1 || moves[0].Action != keyring.Withdraw {
		t.Errorf("of a domain that is removed: %+v", moves)
	}
}

// Where no slot is free nothing begins, and somebody can be told why.
func TestNoSlotIsFree(t *testing.T) {
	s := slotSituation(ourSlots(), slotKey("mx1", "AAAA", keyring.Draining), slotKey("mx2", "BBBB", keyring.Draining), slotKey("mx3", "CCCC", keyring.Active))
	s.Elapsed = map[string]time.Duration{}
	s.Rotate = true
	if moves := keyring.Next(s); len(moves) != 0 || s.NoSlot() != "none of its 3 slots is free: each has a key that signs, or that somebody may still remember" {
		t.Errorf("%+v, %q", moves, s.NoSlot())
	}
	s.Slots.Selectors = append(s.Slots.Selectors, "mx4")
	if moves := keyring.Next(s); len(moves) != 1 || moves[0].Action != keyring.Generate || s.NoSlot() != "" {
		t.Errorf("with one more: %+v", moves)
	}
}

// A key that replaces a compromised one in a slot waits as long as somebody may remember
// the empty p= that was there.
func TestCompromisedInASlot(t *testing.T) {
	stolen, next := slotKey("mx1", "AAAA", keyring.Active), slotKey("mx2", "BBBB", keyring.Published)
	stolen.Compromised = true
	s := slotSituation(ourSlots(), stolen, next)
	s.Observations["mx2"] = keyring.Observation{Published: true, MaxCacheTTL: 10 * time.Minute}
	s.Elapsed["mx2"] = 9 * time.Minute
	if moves := keyring.Next(s); len(moves) != 0 {
		t.Errorf("%+v", moves)
	}
	s.Elapsed["mx2"] = 10 * time.Minute
	if moves := keyring.Next(s); len(moves) != 1 || moves[0].Action != keyring.Activate {
		t.Errorf("%+v", moves)
	}
}
