package year_test

import (
	"testing"
	"time"

	"mailsetup/internal/e2e/year"
)

// moment is what a server says from a second on: the right record, none, another one or
// nothing at all.
type moment struct {
	second, server int
	says           string
}

func TestGap(t *testing.T) {
	const (
		right, none, other, silent = "right", "", "other", "silent"
		from, until, drain         = 1000, 2000, 500
	)
	both := func(second int, says string) []moment { return []moment{{second, 0, says}, {second, 1, says}} }
	cases := map[string]struct {
		moments []moment
		want    year.Interval // in seconds
	}{
		"nobody ever has it":                     {nil, year.Interval{From: 1000, To: 2490}},
		"everywhere in time":                     {both(940, right), year.Interval{}},
		"a negative answer outlives the wait":    {both(950, right), year.Interval{From: 1000, To: 1010}},
		"one server is late":                     {append(both(900, right)[:1], moment{1100, 1, right}), year.Interval{From: 1000, To: 1160}},
		"one server has another key for long":    {append(both(900, right), moment{1200, 0, other}, moment{1290, 0, right}), year.Interval{From: 1190, To: 1350}},
		"one does not answer":                    {append(both(900, right), moment{1200, 0, silent}, moment{1290, 0, right}), year.Interval{}},
		"it comes back with old data":            {append(both(900, right), moment{1200, 0, silent}, moment{1290, 0, none}, moment{1300, 0, right}), year.Interval{From: 1280, To: 1360}},
		"withdrawn in time":                      {append(both(900, right), both(2510, none)...), year.Interval{}},
		"withdrawn while mail is under way":      {append(both(900, right), both(2400, none)...), year.Interval{From: 2390, To: 2490}},
		"withdrawn early from one, later of all": {append(both(900, right), moment{2450, 0, none}, moment{2480, 1, other}), year.Interval{From: 2440, To: 2490}},
		"two gaps, of which the longer counts":   {append(both(900, right), moment{1200, 0, none}, moment{1210, 0, right}, moment{2300, 1, none}), year.Interval{From: 2290, To: 2490}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := year.NewKey(2, time.Minute, 0)
			k.Signs, k.From, k.Ended, k.Until, k.Drain = true, from*time.Second, true, until*time.Second, drain*time.Second
			k.Verifies = func(text string) bool { return text == right }
			for _, m := range c.moments {
				at := time.Duration(m.second) * time.Second
				answer := &year.Answer{Text: m.says, TTL: time.Minute}
				if m.says == silent {
					answer = nil
				}
				k.Observe(m.server, at-10*time.Second, at, answer) // looked at every ten seconds
			}
			got := k.Gap(5000 * time.Second)
			if want := (year.Interval{From: c.want.From * time.Second, To: c.want.To * time.Second}); got != want {
				t.Errorf("a gap from %v to %v, want %v to %v", got.From, got.To, want.From, want.To)
			}
		})
	}
}

// A key that signs has no end yet, and one that never signed has no mail.
func TestGapOfKeysAlive(t *testing.T) {
	k := year.NewKey(1, time.Minute, 0)
	k.Verifies = func(text string) bool { return text == "right" }
	if got := k.Gap(time.Hour); got != (year.Interval{}) {
		t.Errorf("a gap %v of a key that never signed", got)
	}
	k.Signs, k.From = true, time.Minute
	if got := k.Gap(time.Hour); got != (year.Interval{From: time.Minute, To: time.Hour}) {
		t.Errorf("a gap %v, want a minute to an hour", got)
	}
}

func TestObtainable(t *testing.T) {
	k := year.NewKey(2, time.Minute, 0)
	k.Observe(0, 0, time.Second, &year.Answer{Text: "a", TTL: time.Hour})
	k.Observe(1, 0, time.Second, &year.Answer{Text: "a", TTL: time.Hour})
	k.Observe(0, 0, 2*time.Second, &year.Answer{Text: "b", TTL: time.Hour})
	for at, want := range map[time.Duration]string{30 * time.Second: "|a|b||a", 2 * time.Minute: "a|b|a", 2 * time.Hour: "b|a"} {
		var got string
		for i, a := range k.Obtainable(at) {
			if i > 0 {
				got += "|"
			}
			got += a.Text
		}
		if got != want {
			t.Errorf("after %v %q, want %q", at, got, want)
		}
	}
	if a, ok := k.Says(0); !ok || a.Text != "b" {
		t.Errorf("says %v, %v", a, ok)
	}
	k.Observe(0, 0, time.Minute, nil)
	if _, ok := k.Says(0); ok {
		t.Error("a silent server says something")
	}
}

// A run that looks between two looks of the test may count from its own; one that does
// not wait for the TTL is found out all the same.
func TestGapWithinARun(t *testing.T) {
	for from, want := range map[time.Duration]time.Duration{61 * time.Second: 0, 30 * time.Second: 30 * time.Second} {
		k := year.NewKey(1, time.Minute, 0)
		k.Verifies = func(text string) bool { return text == "right" }
		k.Signs, k.From = true, time.Hour+from
		k.Observe(0, time.Hour, time.Hour+3*time.Second, &year.Answer{Text: "right", TTL: time.Minute})
		if got := k.Gap(2 * time.Hour); got.To-got.From != want {
			t.Errorf("signs %v after the look: a gap of %v, want %v", from, got.To-got.From, want)
		}
	}
}
