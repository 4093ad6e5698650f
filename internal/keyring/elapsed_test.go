package keyring_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
)

// A file that makes no sense counts no time: a key would sign, or a record go, too early.
func TestTimeThatMakesNoSenseCountsNothing(t *testing.T) {
	since := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	ledger := keyring.Ledger{"lab.example": {{Selector: "k", Stage: keyring.Draining, Since: map[keyring.Stage]time.Time{keyring.Draining: since}}}}
	file := func(at, passed string) string {
		return fmt.Sprintf(`{"boot":"b","at":%s,"keys":{"lab.example k":{"stage":"draining","since":"2026-11-01T00:00:00Z","passed":%s}}}`, at, passed)
	}
	for _, tt := range []struct {
		text string
		want time.Duration // in the stage an hour after boot, -1 for an error
	}{
		{file("0", "0"), time.Hour},
		{file("3000", "7200"), 2*time.Hour + 10*time.Minute},
		{file("7200", "60"), time.Minute}, // a reading from the future of this boot
		{file("-1000000", "60"), -1},
		{file("1e300", "60"), -1},
		{file("0", "-1"), -1},
		{file("0", "1e300"), -1},
		{file(`"0"`, "0"), -1},
		{strings.TrimSuffix(file("0", "0"), "}"), -1},
		{strings.Replace(file("0", "60"), `"b"`, `"c"`, 1), time.Minute}, // of another boot
		{strings.Replace(file("0", "60"), `"b"`, `""`, 1), time.Minute},
		{strings.Replace(file("0", "60"), "draining", "active", 1), 0},
		{strings.Replace(file("0", "60"), "11-01", "10-01", 1), 0}, // of the stage before
		{strings.Replace(file("0", "60"), "lab.example k", "lab.example j", 1), 0},
	} {
		p, err := keyring.ParseElapsed([]byte(tt.text))
		if (err != nil) != (tt.want < 0) {
			t.Errorf("%s: %v", tt.text, err)
		}
		now := keyring.BootTime{Boot: "b", At: time.Hour}
		got := p.Advance(ledger, now).InStage("lab.example", ledger["lab.example"])["k"]
		if got != max(0, tt.want) {
			t.Errorf("%s: %v in the stage, want %v", tt.text, got, tt.want)
		}
	}
}

// Whatever the clocks do, a key has never been in its stage for longer than it really
// was, and what is read from the file is what was written.
func TestElapsedIsNeverMoreThanWasTrue(t *testing.T) {
	stages := []keyring.Stage{keyring.Publishing, keyring.Published, keyring.Active, keyring.Draining, keyring.Revoked, keyring.Gone}
	counted := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2606))
		truth, wall, boot, booted := time.Duration(0), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0, time.Duration(0)
		entered := map[string]time.Duration{} // by selector, in true time
		keys := []keyring.Key{}
		p := keyring.Elapsed{}
		for n := range 60 {
			pass := time.Duration(r.IntN(100_000)) * time.Second
			truth, wall = truth+pass, wall.Add(pass)
			switch r.IntN(8) {
			case 0:
				wall = wall.Add(time.Duration(r.IntN(2_000_000)-1_000_000) * time.Second) // somebody sets the clock
			case 1:
				boot, booted = boot+1, truth-pass/2
			case 2:
				k := keyring.Key{Selector: fmt.Sprint("k", n)}.At(stages[0], wall)
				keys, entered[k.Selector] = append(keys, k), truth
			case 3:
				if len(keys) > 0 {
					i := r.IntN(len(keys))
					if at := slices.Index(stages, keys[i].Stage); at < len(stages)-1 {
						keys[i], entered[keys[i].Selector] = keys[i].At(stages[at+1], wall), truth
					}
				}
			}
			p = p.Advance(keyring.Ledger{"lab.example": keys}, keyring.BootTime{Boot: fmt.Sprint(boot), At: truth - booted})
			again, err := keyring.ParseElapsed(keyring.MarshalElapsed(p))
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for selector, d := range again.InStage("lab.example", keys) {
				if really := truth - entered[selector]; d > really+time.Second {
					t.Fatalf("seed %d: %s counts %v in its stage, and it is %v", seed, selector, d, really)
				}
				if was := p.InStage("lab.example", keys)[selector]; (was - d).Abs() > time.Millisecond {
					t.Fatalf("seed %d: %s: %v was written, %v is read", seed, selector, was, d)
				}
				if d > time.Hour {
					counted++
				}
			}
			if r.IntN(2) == 0 {
				p = again // the next run is another process
			}
		}
	}
	if counted < 1000 {
		t.Errorf("time was counted only %d times", counted)
	}
}
