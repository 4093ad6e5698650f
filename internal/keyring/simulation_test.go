package keyring

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// statesEnough ends the enumeration: breadth first, so that what is left out
// is far away.
const statesEnough = 8000

// The states that small spans of time allow, nearest first, with a run killed
// or refused at any write, servers that lag behind or are silent, and boots in
// between.
func TestReachableStates(t *testing.T) {
	for name, p := range map[string]Policy{
		"plain":   {Drain: 2 * time.Hour, Lag: time.Hour},
		"revoked": {Drain: time.Hour, Lag: time.Hour, Revoke: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := newWorld(p)
			start.check()
			seen := map[string]bool{start.String(): true}
			rest, rotations := []*world{start}, 0
			for ; len(rest) > 0 && len(seen) < statesEnough; rest = rest[1:] {
				w := rest[0]
				for _, x := range w.futures() {
					if x.wrong != "" {
						t.Fatalf("%s\nfrom %v\nto %v", x.wrong, w, x)
					}
					if x.table != w.table {
						rotations++
					}
					if name := x.String(); !seen[name] && alive(x) <= 3 {
						seen[name] = true
						rest = append(rest, x)
					}
				}
			}
			if len(seen) < 5000 || rotations < 100 {
				t.Errorf("%d states and %d changes of the key that signs: too few to prove anything", len(seen), rotations)
			}
			t.Logf("%d states, %d changes of the key that signs", len(seen), rotations)
		})
	}
}

func alive(w *world) int {
	n := 0
	for _, k := range w.keys {
		if k.Stage != Gone {
			n++
		}
	}
	return n
}

// futures are all that can happen next.
func (w *world) futures() []*world {
	var out []*world
	with := func(change func(*world)) {
		x := w.clone()
		change(x)
		out = append(out, x)
	}
	with(func(x *world) { x.pass() })
	with(func(x *world) { x.boot++ })
	with(func(x *world) { x.stale[1] = x.older || !x.stale[1]; x.transfer(); x.check() })
	with(func(x *world) { x.restore() })
	with(func(x *world) { x.down[2] = !x.down[2] })
	for _, rotate := range []bool{false, true} {
		with(func(x *world) { x.tick(func(write) outcome { return done }, rotate) })
		for _, end := range []outcome{refused, killed, last} {
			for at := 0; ; at++ {
				n := 0
				with(func(x *world) {
					x.tick(func(write) outcome {
						if n++; n == at+1 {
							return end
						}
						return done
					}, rotate)
				})
				if n <= at {
					out = out[:len(out)-1]
					break
				}
			}
		}
	}
	return out
}

// tenYears is one random walk: monthly rotation, hourly ticks, and everything
// that goes wrong in a machine's life.
func tenYears(t *testing.T, seed uint64, years int) {
	r := rand.New(rand.NewPCG(seed, 5))
	w := newWorld(Policy{Every: 30 * oneDay, Drain: 14 * oneDay, Lag: 3 * time.Hour, Revoke: time.Duration(r.IntN(2)) * 3 * oneDay})
	w.step = 3
	once := func(n int) bool { return r.IntN(n) == 0 }
	until := map[string]int{}
	var counts struct{ killed, refused, jumps, boots, stolen int }
	f := func(x write) outcome {
		switch {
		case once(20):
			counts.killed++
			return []outcome{killed, last}[r.IntN(2)]
		case once(20) && (len(x.kind) < 4 || x.kind[:4] != "undo"):
			counts.refused++
			return refused
		}
		return done
	}
	for end := years * 365 * 24; w.hour < end && w.wrong == ""; {
		for i := range w.dns {
			w.stale[i] = i == 1 && w.older || i > 0 && lasts(r, until, fmt.Sprint("stale", i), w.hour, 700, 200)
			w.down[i] = lasts(r, until, fmt.Sprint("down", i), w.hour, 300, 20)
		}
		if once(1000) { // a clock that jumps, for a while
			w.skew = []int{0, 0, 24, -24, 365 * 24, -365 * 24, 20 * 365 * 24}[r.IntN(7)]
			counts.jumps++
		}
		if once(700) {
			w.boot++
			counts.boots++
		}
		if k, ok := Successor(w.keys); ok && k.Stage == Published && once(20) {
			w.restore()
		}
		if once(7000) {
			w.betray()
			counts.stolen++
		}
		w.pass()
		if !lasts(r, until, "off", w.hour, 2000, 24*30) {
			w.twice(f, once(50))
		}
	}
	if w.wrong != "" {
		t.Fatalf("seed %d: %s\n%v", seed, w.wrong, w)
	}
	w.recovers(t, seed)
	if len(w.keys)+w.gone < 3*years {
		t.Errorf("seed %d: only %d keys: nothing was tried", seed, len(w.keys)+w.gone)
	}
	t.Logf("seed %d: %d keys; %+v", seed, len(w.keys)+w.gone, counts)
}

// lasts is a trouble that comes once in so many hours and goes after up to
// most.
func lasts(r *rand.Rand, until map[string]int, name string, hour, seldom, most int) bool {
	if r.IntN(seldom) == 0 {
		until[name] = hour + 1 + r.IntN(most)
	}
	return hour < until[name]
}

// twice is a tick, or two at once: the second has to wait for the lock, and
// begins with what the first left.
func (w *world) twice(f fate, two bool) {
	w.tick(f, false)
	if two {
		w.tick(f, false)
	}
}

// betray makes somebody else know the key that signs.
func (w *world) betray() {
	if len(w.open) > 0 {
		return // rotate-dkim --compromised would first take the open run back
	}
	w.keys = slices.Clone(w.keys)
	for i := range w.keys {
		if w.keys[i].Stage == Active {
			w.keys[i].Compromised = true
			w.stolen[w.keys[i].Selector] = true
		}
	}
}

// recovers sees that after two quiet months all is as if nothing had been.
func (w *world) recovers(t *testing.T, seed uint64) {
	t.Helper()
	w.skew, w.stale, w.down = 0, [3]bool{}, [3]bool{}
	for range 60 * 24 / w.step {
		w.pass()
		w.tick(func(write) outcome { return done }, false)
	}
	active, _ := find(w.keys, Active)
	s := Situation{Keys: w.keys, Now: w.wall(), Elapsed: w.passed.InStage("d", w.keys)}
	if w.wrong != "" || active.Selector != w.table || s.Age(active) > 31*oneDay || alive(w) > 3 {
		t.Errorf("seed %d: not recovered: %s %v", seed, w.wrong, w)
	}
}

func TestTenYears(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); tenYears(t, seed, 10) })
	}
}

// Without trouble a month is a month.
func TestTenQuietYears(t *testing.T) {
	w := newWorld(Policy{Every: 30 * oneDay, Drain: 14 * oneDay, Lag: 3 * time.Hour})
	w.step = 3
	for w.hour < 10*365*24 {
		w.pass()
		w.tick(func(write) outcome { return done }, false)
	}
	if w.wrong != "" {
		t.Fatal(w.wrong)
	}
	// 3650 days, of which each key signs 30 and the hours until the next one may.
	if n := len(w.keys) + w.gone; n < 120 || n > 122 {
		t.Errorf("%d keys in ten years", n)
	}
}

// TestSoakTenYears is the same with many more seeds: MAILSETUP_SOAK.
func TestSoakTenYears(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		t.Skip("make soak does this")
	}
	for seed := range n {
		tenYears(t, uint64(1000+seed), 10)
	}
}
