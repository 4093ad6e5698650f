package keyring

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// slotYears is a random walk with everything that a provider does to CNAMEs, and everything
// that goes wrong here.
func slotYears(t *testing.T, seed uint64, years int) {
	r := rand.New(rand.NewPCG(seed, 7))
	w := newSlotWorld(Policy{Every: 24 * oneDay, Drain: 14 * oneDay, Lag: 3 * time.Hour, Revoke: time.Duration(r.IntN(2)) * 3 * oneDay}, 3+r.IntN(3))
	once := func(n int) bool { return r.IntN(n) == 0 }
	until := map[string]int{}
	counts := map[string]int{}
	f := func() outcome {
		switch {
		case once(40):
			counts["killed"]++
			return []outcome{killed, last}[r.IntN(2)]
		case once(40):
			counts["refused"]++
			return refused
		}
		return done
	}
	for end := years * 365 * 24; w.hour < end && w.wrong == ""; {
		w.stale = lasts(r, until, "stale", w.hour, 700, 200)
		w.down = lasts(r, until, "down", w.hour, 300, 20)
		if once(1000) {
			w.skew = []int{0, 0, 24, -24, 365 * 24, -365 * 24, 20 * 365 * 24}[r.IntN(7)]
		}
		if once(700) {
			w.boot++
		}
		if once(200) {
			w.ttl = 1 + r.IntN(24)
		}
		for _, selector := range w.slots.Selectors {
			w.provide(r, selector, until, counts)
		}
		if once(5000) && len(w.undo) == 0 {
			w.betray()
			counts["stolen"]++
		}
		w.pass(r)
		if !lasts(r, until, "off", w.hour, 2000, 24*30) {
			w.tick(f, once(2000))
		}
	}
	if w.wrong != "" {
		t.Fatalf("seed %d: %s\n%+v\n%+v", seed, w.wrong, w.keys, w.provider)
	}
	if len(w.began) < 5*years {
		t.Errorf("seed %d: only %d keys: nothing was tried", seed, len(w.began))
	}
	t.Logf("seed %d: %d slots, %d keys; %v", seed, len(w.slots.Selectors), len(w.began), counts)
}

// provide has the provider drop a CNAME, flatten it, or answer with old data, on one of its
// servers or on all. What is done to a slot in use is no fault of ours, and so not counted.
func (w *slotWorld) provide(r *rand.Rand, selector string, until, counts map[string]int) {
	first, most := r.IntN(3), r.IntN(3)
	n := 0
	for i := range w.provider {
		if i < first || i > most {
			continue
		}
		a, busy := w.provider[i][selector], w.inUse(selector)
		name := fmt.Sprint(selector, i)
		switch {
		case a.how == "" && w.hour >= until[name]:
			w.provider[i][selector] = alias{how: "cname"}
		case a.old && w.hour >= until[name] && !w.unseen[selector]:
			a.old = false
			w.provider[i][selector] = a
		case a.how == "flat" && !a.old && w.hour >= until[name] && (!busy || a.copy == w.own[0][selector]):
			w.provider[i][selector] = alias{how: "cname"}
		case a.how == "cname" && r.IntN(1500) == 0:
			w.taken[selector] = busy || w.taken[selector]
			until[name] = w.hour + 1 + r.IntN(300)
			w.provider[i][selector] = alias{}
			n++
		case a.how == "cname" && r.IntN(800) == 0:
			until[name] = w.hour + 1 + r.IntN(3000)
			w.provider[i][selector] = alias{how: "flat", copy: w.own[0][selector], fresh: w.hour}
			counts["flattened"]++
		case a.how == "flat" && !a.old && !busy && r.IntN(500) == 0:
			until[name] = w.hour + 1 + r.IntN(200)
			a.copy, a.old = fmt.Sprintf("k%03d", 1+r.IntN(w.made)), true
			w.provider[i][selector] = a
			w.unseen[selector] = true
			counts["old data"]++
		}
	}
	counts["dropped"] += n
	if there := func(i int) bool { return w.provider[i][selector].how != "" }; there(0) && there(1) && there(2) {
		delete(w.taken, selector)
	}
}

// betray makes somebody else know the key that signs.
func (w *slotWorld) betray() {
	w.keys = append([]Key(nil), w.keys...)
	for i := range w.keys {
		if w.keys[i].Stage == Active {
			w.keys[i].Compromised, w.stolen[w.keys[i].Public] = true, true
		}
	}
}

func TestSlotYears(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); slotYears(t, seed, 4) })
	}
}

// TestSoakSlotYears is the same with many more seeds: MAILSETUP_SOAK.
func TestSoakSlotYears(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		t.Skip("make soak does this")
	}
	for seed := range n {
		slotYears(t, uint64(1000+seed), 10)
	}
}

// Without trouble each slot has its turn, and a period is a period.
func TestQuietSlotYears(t *testing.T) {
	for _, n := range []int{3, 12} {
		w := newSlotWorld(Policy{Every: 30 * oneDay, Drain: 14 * oneDay, Lag: 3 * time.Hour}, n)
		r := rand.New(rand.NewPCG(1, 1))
		for w.hour < 4*365*24 {
			w.pass(r)
			w.tick(func() outcome { return done }, false)
		}
		if w.wrong != "" {
			t.Fatal(w.wrong)
		}
		if len(w.began) < 48 || len(w.began) > 49 {
			t.Errorf("%d keys in four years", len(w.began))
		}
		for i := 1; i < len(w.keys); i++ {
			if want := fmt.Sprint("mx", i%n+1); w.keys[i].Selector != want {
				t.Fatalf("with %d slots key %d is in %s, not in %s", n, i, w.keys[i].Selector, want)
			}
		}
	}
}
