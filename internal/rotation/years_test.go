package rotation_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

const day = 24 * time.Hour

// policies are what people write, and what they should not have written.
func policies(r *rand.Rand) (every, drain, lag, revoke time.Duration) {
	spans := []time.Duration{time.Second, time.Hour, day, 14 * day, 30 * day, 90 * day, 366 * day}
	every = append(spans, 3650*day, spec.Never)[r.IntN(len(spans)+2)]
	drain, revoke = spans[r.IntN(len(spans))], append(spans, spec.Never)[r.IntN(len(spans)+1)]
	lag = []time.Duration{time.Second, time.Hour, day, 14 * day, 31 * day}[r.IntN(5)]
	if r.IntN(3) == 0 && every > 0 { // all alike, so that moves fall due together
		drain, lag, revoke = min(every, 366*day), min(every, 31*day), min(every, 366*day)
	}
	return every, drain, lag, revoke
}

// wish changes the policies of the host or of a domain.
func (s *server) wish() {
	every, drain, lag, revoke := policies(s.r)
	s.drain = min(s.drain, drain)
	if s.r.IntN(2) == 0 {
		s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag, s.sp.Host.Revoke = every, drain, lag, revoke
		return
	}
	d := &s.sp.Domains[s.r.IntN(len(s.sp.Domains))]
	d.Every, d.Drain, d.Lag, d.Revoke = every, drain, lag, revoke
}

// years is one server with ticks of a timer, whose administrator changes
// policies, asks for rotations, loses keys and removes a domain. No run may end in
// an error: nothing outside is broken.
func years(t *testing.T, seed uint64, modes map[string]spec.DNSMode, ticks int) *server {
	r := rand.New(rand.NewPCG(seed, 11))
	s := newServer(t, r, modes)
	every, drain, lag, revoke := policies(r)
	s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag, s.sp.Host.Revoke = every, drain, lag, revoke
	s.drain = drain
	once := func(n int) bool { return r.IntN(n) == 0 }
	for n := range ticks {
		s.now = s.now.Add([]time.Duration{time.Hour, 6 * time.Hour, day, 7 * day}[r.IntN(4)])
		var asked []string
		d := s.sp.Domains[r.IntN(len(s.sp.Domains))].Name
		switch {
		case once(30):
			s.wish()
		case once(30):
			asked = []string{d}
		case once(60):
			s.lose(d)
		case n%(ticks/3) == ticks/4 && len(s.sp.Domains) > 1:
			s.remove()
		case s.gone != nil && once(5):
			s.bringBack()
		}
		s.tick(asked...)
		s.check()
		if !once(4) {
			s.publish()
		}
	}
	return s
}

// lose marks the keys of a domain as known to others, as --compromised does.
func (s *server) lose(domain string) {
	keys := s.ledger()[domain]
	for i := range keys {
		keys[i].Compromised = keys[i].Compromised || keys[i].Stage != keyring.Gone
	}
	s.mem.PutFile(keyring.File(domain), string(keyring.MarshalDomain(keys)))
}

// remove takes the last domain out, as remove-domain does.
func (s *server) remove() {
	in := s.input()
	gone := s.sp.Domains[len(s.sp.Domains)-1]
	s.sp.Domains = s.sp.Domains[:len(s.sp.Domains)-1]
	in.Spec = s.sp
	in.Removed, in.Scope = []spec.Domain{gone}, step.Only(gone.Name)
	s.apply(in, withoutPostfix(), nil)
	s.gone = &gone
}

// bringBack adds the domain again that was removed, as add-domain does: with its
// newest key that drains, or with another one where that is known to others or gone.
func (s *server) bringBack() {
	d := *s.gone
	s.sp.Domains, s.gone = append(s.sp.Domains, d), nil
	in := s.input()
	in.Scope = step.Only(d.Name)
	k, ok := keyring.Resumable(in.Ledger[d.Name], func(k keyring.Key) bool {
		o, err := s.mem.Read(state.Path(k.File))
		return err == nil && o.Kind == state.Regular
	})
	if !ok {
		s.apply(in, withoutPostfix(), []dkimkeys.Pair{s.pair(d)})
		s.publish()
		return
	}
	dkimkeys.Resume(&in, d.Name, k)
	s.apply(in, withoutPostfix(), nil)
	if s.back++; s.signing()[d.Name] != k.Selector || !s.has(d.Name, k) {
		s.t.Fatalf("%s: %s came back, and %s signs instead of %s", s.now.Format(time.DateTime), d.Name, s.signing()[d.Name], k.Selector)
	}
}

// In every DNS mode, and with domains of all modes in one zone.
func TestYearsOfRealPlans(t *testing.T) {
	for seed := range uint64(2) {
		simulate(t, seed, 90)
	}
}

// TestSoakYearsOfRealPlans is the same for MAILSETUP_SOAK seeds and longer.
func TestSoakYearsOfRealPlans(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		t.Skip("make soak does this")
	}
	for seed := range uint64(n) {
		simulate(t, 1000+seed, 400)
	}
}

func simulate(t *testing.T, seed uint64, ticks int) {
	all := map[string]map[string]spec.DNSMode{
		"mixed": {"lab.example": spec.DNSBind, "shop.lab.example": spec.DNSUpdate, "hand.lab.example": spec.DNSManual, "other.example": spec.DNSBind},
	}
	all["slots"] = map[string]spec.DNSMode{"lab.example": spec.DNSBind, "shop.lab.example": spec.DNSSlots, "other.example": spec.DNSSlots, "hand.example": spec.DNSManual}
	for _, mode := range []spec.DNSMode{spec.DNSBind, spec.DNSUpdate, spec.DNSManual} {
		all[string(mode)] = map[string]spec.DNSMode{"lab.example": mode, "shop.lab.example": mode, "other.example": mode}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
			t.Parallel()
			s := years(t, seed, all[name], ticks)
			t.Logf("%d keys; moves that met: %d kinds; %d domains came back with their key", s.made, len(s.moves), s.back)
		})
	}
}

// A drained key and the successor of the one after it fall due in one tick
// wherever rotate_every and drain are equal.
func TestEqualSpans(t *testing.T) {
	for _, mode := range []spec.DNSMode{spec.DNSBind, spec.DNSUpdate, spec.DNSManual} {
		t.Run(string(mode), func(t *testing.T) {
			s := newServer(t, rand.New(rand.NewPCG(1, 1)), map[string]spec.DNSMode{"lab.example": mode})
			s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag, s.sp.Host.Revoke = 14*day, 14*day, time.Hour, spec.Never
			s.drain = 14 * day
			for range 60 * 6 {
				s.now = s.now.Add(4 * time.Hour)
				s.tick()
				s.check()
				s.publish()
			}
			if met := s.moves[string(mode)+" new, "+string(mode)+" withdrawn"]; met < 2 || s.made != 5 {
				t.Errorf("%d keys were made, and %d times one was while another went: %v", s.made, met, s.moves)
			}
		})
	}
}

// A domain whose records were published by hand moves into slots, is rotated there without
// anybody, and moves out again; each slot comes back with another key.
func TestMovingThroughSlots(t *testing.T) {
	s := newServer(t, rand.New(rand.NewPCG(1, 1)), map[string]spec.DNSMode{"hand.example": spec.DNSManual, "lab.example": spec.DNSBind})
	s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag = 30*day, 14*day, time.Hour
	s.drain = 14 * day
	pass := func(days int) {
		for range days * 4 {
			s.now = s.now.Add(6 * time.Hour)
			s.tick()
			s.check()
		}
	}
	s.sp.Domains[0].DNS = spec.DNSSlots
	pass(180)
	var slots []string
	files := map[string]bool{}
	for _, k := range s.ledger()["hand.example"][1:] {
		slots = append(slots, k.Selector)
		if k.SlotZone != "dkim.lab.example" || files[k.File] {
			t.Errorf("%+v", k)
		}
		files[k.File] = true
	}
	if want := []string{"mx1", "mx2", "mx3", "mx4", "mx1", "mx2"}; !slices.Equal(slots, want) {
		t.Errorf("keys in %q, want %q", slots, want)
	}
	s.sp.Domains[0].DNS = spec.DNSBind
	pass(60)
	for _, r := range s.served("lab.example.") {
		if strings.Contains(r.Name, "hand.example.dkim.") {
			t.Errorf("%+v stays behind", r)
		}
	}
}

// Who asks for a key while every slot has one is told so, and mail goes on.
func TestNoSlotForWhoAsks(t *testing.T) {
	s := newServer(t, rand.New(rand.NewPCG(1, 1)), map[string]spec.DNSMode{"lab.example": spec.DNSBind, "slot.example": spec.DNSSlots})
	s.sp.Host.Drain = 14 * day
	for range 3 {
		s.run(rotation.Options{Domains: []string{"slot.example"}, Force: true})
		for range 30 {
			s.now = s.now.Add(time.Hour)
			s.tick()
			s.check()
		}
	}
	_, err := s.rotator().Run(t.Context(), rotation.Options{Domains: []string{"slot.example"}, Force: true})
	skipped, is := errors.AsType[*rotation.SkippedError](err)
	if !is || !strings.Contains(strings.Join(skipped.Lines, " "), "none of its 4 slots is free") || !strings.Contains(strings.Join(skipped.Lines, " "), "mailsetup status shows when one is") {
		t.Errorf("%v", err)
	}
}

// A key that a round of a run has seen everywhere waits on while one in another slot of its
// domain is looked for again.
func TestSeenBesideASlotThatIsCleared(t *testing.T) {
	s := newServer(t, rand.New(rand.NewPCG(1, 1)), map[string]spec.DNSMode{"lab.example": spec.DNSBind, "slot.example": spec.DNSSlots})
	s.sp.Host.Drain, s.drain = 14*day, 14*day
	pass := func(hours int) {
		for range hours {
			s.now = s.now.Add(time.Hour)
			s.tick()
			s.check()
		}
	}
	s.missing["mx1 slot.example"] = "ns2.lab.example: another key is there" // once it is revoked
	s.run(rotation.Options{Domains: []string{"slot.example"}, Force: true})
	pass(16 * 24)
	if keys := s.ledger()["slot.example"]; len(keys) != 2 || keys[0].Stage != keyring.Revoked || keys[1].Stage != keyring.Active {
		t.Fatalf("%+v", keys)
	}
	var steps []string
	for hour := range 30 {
		for _, x := range s.run(rotation.Options{Domains: []string{"slot.example"}, Force: hour == 0}).Steps {
			steps = append(steps, x.Selector+" "+string(x.Action))
		}
		s.now = s.now.Add(time.Hour)
	}
	if want := []string{" generate", "mx3 confirm", "mx3 activate"}; !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}
