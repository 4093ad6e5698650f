package keyring

import (
	"testing"
	"time"
)

const oneDay = 24 * time.Hour

func monthly() Policy {
	return Policy{Every: 30 * oneDay, Drain: 14 * oneDay, Lag: time.Hour, Bits: 2048}
}

func aged(selector string, stage Stage, at time.Time) Key {
	return Key{Selector: selector, Bits: 2048, Stage: stage, Since: map[Stage]time.Time{stage: at}}
}

func TestNext(t *testing.T) {
	now := day(30)
	active := aged("b", Active, now.Add(-29*oneDay))
	old := aged("b", Active, now.Add(-30*oneDay))
	seen := map[string]Observation{"c": {Published: true, MaxCacheTTL: 2 * time.Hour}}
	hours := func(selector string, n float64) map[string]time.Duration {
		return map[string]time.Duration{selector: time.Duration(n * float64(time.Hour))}
	}
	lost := active
	lost.Compromised = true
	stolen := aged("a", Draining, now)
	stolen.Compromised = true
	revoked := stolen.At(Revoked, day(1))
	revoking := monthly()
	revoking.Revoke = 7 * oneDay
	never := monthly()
	never.Every = 0
	for name, test := range map[string]struct {
		s    Situation
		want []Transition
	}{
		"nothing at all": {Situation{}, nil},
		"young":          {Situation{Keys: []Key{active}, Policy: monthly()}, nil},
		"old":            {Situation{Keys: []Key{old}, Policy: monthly()}, []Transition{{Generate, "", "b is old enough"}}},
		"old, never due": {Situation{Keys: []Key{old}, Policy: never}, nil},
		"asked for":      {Situation{Keys: []Key{active}, Policy: never, Rotate: true}, []Transition{{Generate, "", "you asked for it"}}},
		"known to others": {
			Situation{Keys: []Key{lost}, Policy: never}, []Transition{{Generate, "", "b may be known to others"}},
		},
		"clock back at its start": {
			Situation{Keys: []Key{aged("b", Active, now.Add(oneDay))}, Policy: monthly()}, nil,
		},
		"clock back, but old for certain": {
			Situation{Keys: []Key{aged("b", Active, now.Add(oneDay))}, Policy: monthly(), Elapsed: hours("b", 30*24)},
			[]Transition{{Generate, "", "b is old enough"}},
		},
		"small": {
			Situation{Keys: []Key{{Selector: "b", Bits: 1024, Stage: Active}}, Policy: Policy{Bits: 2048}},
			[]Transition{{Generate, "", "b has 1024 bits, and 2048 are wanted"}},
		},
		"size unknown": {Situation{Keys: []Key{{Selector: "b", Stage: Active}}, Policy: Policy{Bits: 2048}}, nil},
		"successor not seen": {
			Situation{Keys: []Key{old, aged("c", Publishing, now)}, Policy: monthly(), Elapsed: hours("c", 9999)}, nil,
		},
		"successor seen": {
			Situation{Keys: []Key{old, aged("c", Publishing, now)}, Policy: monthly(), Observations: seen},
			[]Transition{{ConfirmPublished, "c", "every server has its record"}},
		},
		"successor waits for caches": {
			Situation{Keys: []Key{old, aged("c", Published, now)}, Policy: monthly(), Observations: seen, Elapsed: hours("c", 1.9)}, nil,
		},
		"successor ready": {
			Situation{Keys: []Key{old, aged("c", Published, now)}, Policy: monthly(), Observations: seen, Elapsed: hours("c", 2)},
			[]Transition{{Activate, "c", "its record has been seen everywhere for long enough"}},
		},
		"successor ready, default lag": {
			Situation{Keys: []Key{old, aged("c", Published, now)}, Observations: map[string]Observation{"c": {Published: true}}, Elapsed: hours("c", 0.9)}, nil,
		},
		"successor in an emergency": {
			Situation{Keys: []Key{lost, aged("c", Published, now)}, Policy: monthly(), Observations: seen},
			[]Transition{{Activate, "c", "its record has been seen everywhere for long enough"}},
		},
		"successor in an emergency, not seen": {
			Situation{Keys: []Key{lost, aged("c", Published, now)}, Policy: monthly(), Observations: map[string]Observation{"c": {Problem: "ns2 has nothing"}}},
			[]Transition{{LostPublished, "c", "ns2 has nothing"}},
		},
		"successor no longer seen": {
			Situation{Keys: []Key{old, aged("c", Published, now)}, Policy: monthly(), Elapsed: hours("c", 9999)},
			[]Transition{{LostPublished, "c", "its record was not seen"}},
		},
		"first key": {Situation{Keys: []Key{aged("a", Publishing, now)}, Policy: monthly(), Observations: seen}, nil},
		"draining, not for long enough": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), active}, Policy: monthly(), Elapsed: hours("a", 14*24-1)}, nil,
		},
		"draining, clock a year ahead": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), active}, Policy: monthly(), Now: day(365), Elapsed: hours("a", 1)},
			[]Transition{{Generate, "", "b is old enough"}},
		},
		"drained": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), active}, Policy: monthly(), Elapsed: hours("a", 14*24)},
			[]Transition{{Withdraw, "a", "mail that it signed has arrived or come back"}},
		},
		"drained, nobody said how long": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), active}, Elapsed: hours("a", 14*24-1)}, nil,
		},
		"drained, of a removed domain": {
			Situation{Keys: []Key{aged("a", Draining, day(1))}, Policy: monthly(), Elapsed: hours("a", 14*24)},
			[]Transition{{Withdraw, "a", "mail that it signed has arrived or come back"}},
		},
		"stolen, of a removed domain": {Situation{Keys: []Key{stolen}, Policy: monthly(), Removed: true}, nil},
		"drained, of a removed domain whose keys would be revoked": {
			Situation{Keys: []Key{aged("a", Draining, day(1))}, Policy: revoking, Removed: true, Elapsed: hours("a", 14*24)},
			[]Transition{{Withdraw, "a", "mail that it signed has arrived or come back"}},
		},
		"revoked, of a removed domain": {
			Situation{Keys: []Key{aged("a", Revoked, day(1))}, Policy: revoking, Removed: true, Elapsed: hours("a", 7*24-1)}, nil,
		},
		"stolen and revoked, of a removed domain": {
			Situation{Keys: []Key{revoked}, Policy: monthly(), Removed: true, Elapsed: hours("a", 14*24-1)}, nil,
		},
		"active, of a removed domain": {Situation{Keys: []Key{old}, Policy: monthly(), Removed: true}, nil},
		"drained, to be revoked": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), active}, Policy: revoking, Elapsed: hours("a", 14*24)},
			[]Transition{{Revoke, "a", "mail that it signed has arrived or come back"}},
		},
		"revoked": {Situation{Keys: []Key{aged("a", Revoked, day(1)), active}, Policy: revoking, Elapsed: hours("a", 7*24-1)}, nil},
		"revoked for long enough": {
			Situation{Keys: []Key{aged("a", Revoked, day(1)), active}, Policy: revoking, Elapsed: hours("a", 7*24)},
			[]Transition{{Withdraw, "a", "it has been revoked for long enough"}},
		},
		"stolen": {
			Situation{Keys: []Key{stolen, active}, Policy: monthly()},
			[]Transition{{Revoke, "a", "somebody else may have its private half"}},
		},
		"two at once": {
			Situation{Keys: []Key{aged("a", Draining, day(1)), old, aged("c", Publishing, now)}, Policy: monthly(), Observations: seen, Elapsed: hours("a", 15*24)},
			[]Transition{{Withdraw, "a", "mail that it signed has arrived or come back"}, {ConfirmPublished, "c", "every server has its record"}},
		},
	} {
		if test.s.Now.IsZero() {
			test.s.Now = now
		}
		equal(t, name, Next(test.s), test.want)
	}
}

func TestMoved(t *testing.T) {
	keys := []Key{aged("a", Draining, day(1)), aged("b", Active, day(2)), aged("c", Published, day(3))}
	stages := func(keys []Key) string {
		text := ""
		for _, k := range keys {
			text += k.Selector + " " + string(k.Stage) + " " + k.Since[k.Stage].Format("2") + "; "
		}
		return text
	}
	for _, test := range []struct {
		move Transition
		want string
	}{
		{Transition{Action: Activate, Selector: "c"}, "a draining 1; b draining 9; c active 9; "},
		{Transition{Action: LostPublished, Selector: "c"}, "a draining 1; b active 2; c publishing 9; "},
		{Transition{Action: ConfirmPublished, Selector: "c"}, "a draining 1; b active 2; c published 9; "},
		{Transition{Action: Revoke, Selector: "a"}, "a revoked 9; b active 2; c published 3; "},
		{Transition{Action: Withdraw, Selector: "a"}, "a gone 9; b active 2; c published 3; "},
		{Transition{Action: Generate}, "a draining 1; b active 2; c published 3; "},
	} {
		equal(t, string(test.move.Action), stages(Apply(keys, test.move, day(9))), test.want)
	}
	equal(t, "before", stages(keys), "a draining 1; b active 2; c published 3; ")
	confirmed := Apply(Apply(keys, Transition{Action: ConfirmPublished, Selector: "c"}, day(4)), Transition{Action: ConfirmPublished, Selector: "c"}, day(9))
	equal(t, "first seen", confirmed[2].Seen, day(4))
}

func TestPassed(t *testing.T) {
	ledger := Ledger{"shop.example": {aged("a", Draining, day(1)), aged("b", Gone, day(2)), aged("c", Publishing, day(3))}}
	of := func(p Elapsed) time.Duration { return p.InStage("shop.example", ledger["shop.example"])["a"] }
	p := Elapsed{}.Advance(ledger, BootTime{"x", time.Hour})
	equal(t, "at first", of(p), time.Duration(0))
	p = p.Advance(ledger, BootTime{"x", 3 * time.Hour})
	equal(t, "two hours later", of(p), 2*time.Hour)
	equal(t, "a clock that went back", of(p.Advance(ledger, BootTime{"x", time.Minute})), 2*time.Hour)
	equal(t, "no clock", of(p.Advance(ledger, BootTime{})), 2*time.Hour)
	equal(t, "no clock before", of(p.Advance(ledger, BootTime{}).Advance(ledger, BootTime{"", 99 * time.Hour})), 2*time.Hour)
	p = p.Advance(ledger, BootTime{"y", 1000 * time.Hour})
	equal(t, "after a boot", of(p), 2*time.Hour)
	p = p.Advance(ledger, BootTime{"y", 1001 * time.Hour})
	equal(t, "an hour later", of(p), 3*time.Hour)
	equal(t, "only what waits", len(p.Keys), 1)

	again, err := ParseElapsed(MarshalElapsed(p))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "written and read", again, p)
	equal(t, "the same a minute later", p.SameStages(p.Advance(ledger, BootTime{"y", 1001*time.Hour + time.Minute}), time.Hour), true)
	equal(t, "the same an hour later", p.SameStages(p.Advance(ledger, BootTime{"y", 1002 * time.Hour}), time.Hour), false)
	equal(t, "the same after a boot", p.SameStages(p.Advance(ledger, BootTime{"z", 1001 * time.Hour}), time.Hour), false)

	// Drained again after a rollback: another stay in the same stage.
	ledger["shop.example"][0] = aged("a", Draining, day(5))
	equal(t, "another stay", of(p.Advance(ledger, BootTime{"y", 1009 * time.Hour})), time.Duration(0))
	for _, text := range []string{"", "{", `{"keys":{"a":{"passed":-1}}}`, `{"keys":{"a":{"passed":1e18}}}`} {
		if p, err := ParseElapsed([]byte(text)); err == nil || len(p.Keys) > 0 {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// A switch that is done already changes nothing.
func TestMovedTwice(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	m := Transition{Action: Activate, Selector: "next"}
	once := Apply([]Key{{Selector: "old", Stage: Active}, {Selector: "next", Stage: Published}}, m, now)
	twice := Apply(once, m, now.Add(time.Hour))
	if !EqualOnDisk(once, twice) || twice[0].Stage != Draining || twice[1].Stage != Active {
		t.Errorf("%+v", twice)
	}
}
