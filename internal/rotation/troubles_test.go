package rotation_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// troubles are what is wrong outside for some time, by domain.
type troubles struct {
	hidden     map[string]bool // DNS does not show its successor
	unsigned   map[string]bool // OpenDKIM does not sign with its new key
	unserved   map[string]bool // BIND does not serve what is in its zone's file
	dead       map[string]bool // its primary does not answer
	unusable   map[string]bool // its zone file cannot be edited
	unreadable map[string]bool // its settings cannot be read
}

func newTroubles() troubles {
	return troubles{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

func (x troubles) all() []map[string]bool {
	return []map[string]bool{x.hidden, x.unsigned, x.unserved, x.dead, x.unusable, x.unreadable}
}

func (x troubles) any() bool {
	return slices.ContainsFunc(x.all(), func(m map[string]bool) bool { return len(m) > 0 })
}

// come and go, at random.
func (x troubles) change(r *rand.Rand, domains []string) {
	for _, kind := range x.all() {
		for _, d := range domains {
			switch {
			case kind[d] && r.IntN(4) == 0:
				delete(kind, d)
			case !kind[d] && r.IntN(40) == 0:
				kind[d] = true
			}
		}
	}
}

// meet lets the server meet them.
func (s *server) meet(x troubles) {
	clear(s.missing)
	clear(s.unusable)
	for domain, keys := range s.ledger() {
		if next, ok := keyring.Successor(keys); ok && x.hidden[domain] {
			s.missing[next.Selector+" "+domain] = "ns2.lab.example: missing"
		}
	}
	for d := range x.unusable {
		s.unusable[d+"."] = "it is being edited"
	}
	s.mem.OnProbe = func(p state.Probe) error {
		if slices.ContainsFunc(p.Signers, func(k state.Signer) bool { return x.unsigned[k.Domain] }) {
			return errors.New("a message is not signed")
		}
		if x.unserved[strings.TrimSuffix(p.Origin, ".")] {
			return errors.New("the zone is not served")
		}
		return s.probe(p)
	}
	s.mem.OnUpdate = func(u state.Update) error {
		if x.dead[strings.TrimSuffix(u.Origin, ".")] {
			return fmt.Errorf("connection refused: %w", system.ErrUntouched)
		}
		return nil
	}
}

// troubled is one run of the timer among troubles.
func (s *server) troubled(x troubles, o rotation.Options) *rotation.Report {
	s.t.Helper()
	r := s.rotator()
	r.Unreadable = map[string]error{}
	for d := range x.unreadable {
		r.Unreadable[d] = errors.New(d + ".toml:3: ttl: takes a whole number")
	}
	r.Spec.Domains = slices.DeleteFunc(slices.Clone(r.Spec.Domains), func(d spec.Domain) bool { return x.unreadable[d.Name] })
	s.ui = ui{}
	report, err := r.Run(s.t.Context(), o)
	skipped := &rotation.SkippedError{}
	if err != nil && !errors.As(err, &skipped) || report == nil || (err != nil) != (len(report.Failed) > 0) {
		s.t.Fatalf("%s: %v, %+v", s.now.Format(time.DateTime), err, report)
	}
	for _, d := range report.Failed {
		if !strings.Contains(s.ui.text(), d) {
			s.t.Errorf("%s: %s could not go on, and nothing says why: %q", s.now.Format(time.DateTime), d, s.ui.said)
		}
	}
	return report
}

// stages are those that a key may be in after a step that was reported.
var stagesAfter = map[keyring.Action][]keyring.Stage{
	keyring.ConfirmPublished: {keyring.Published, keyring.Active},
	keyring.LostPublished:    {keyring.Publishing, keyring.Published, keyring.Active},
	keyring.Activate:         {keyring.Active},
	keyring.Revoke:           {keyring.Revoked, keyring.Gone},
	keyring.Withdraw:         {keyring.Gone},
}

// checkReport compares what was said with what is so.
func (s *server) checkReport(report *rotation.Report, before keyring.Ledger) {
	s.t.Helper()
	at := s.now.Format(time.DateTime)
	after := s.ledger()
	told := map[string]bool{}
	for _, step := range report.Steps {
		told[step.Domain] = true
		keys := after[step.Domain]
		if step.Action == keyring.Generate {
			if len(keys) != len(before[step.Domain])+1 {
				s.t.Errorf("%s: a new key of %s is reported, and it has %d after %d", at, step.Domain, len(keys), len(before[step.Domain]))
			}
			continue
		}
		i := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.Selector == step.Selector })
		if i < 0 || !slices.Contains(stagesAfter[step.Action], keys[i].Stage) {
			s.t.Errorf("%s: %+v is reported, and the keys are %+v", at, step, keys)
		}
	}
	for domain, keys := range after {
		if same := keyring.EqualOnDisk(before[domain], keys); same == told[domain] && same {
			s.t.Errorf("%s: a step of %s is reported, and nothing of it is written", at, domain)
		} else if !same && !told[domain] {
			s.t.Errorf("%s: the keys of %s changed in silence, from %+v to %+v", at, domain, before[domain], keys)
		}
	}
	if report.Changed != (len(report.Steps) > 0) {
		s.t.Errorf("%s: changed %v, with steps %+v", at, report.Changed, report.Steps)
	}
	for _, d := range s.sp.Domains {
		k, ok := after.Signing(d.Name)
		if got := s.signing()[d.Name]; !ok || got != k.Selector {
			s.t.Errorf("%s: %s signs for %s, and the ledger says %s", at, got, d.Name, k.Selector)
		}
	}
	if open, err := s.j.Open(); open != nil || err != nil {
		s.t.Fatalf("%s: a run is open: %v, %v", at, open, err)
	}
}

// Whatever is wrong outside, with whichever domains, for however long: nobody is left
// between two keys, each step that is told was taken and each that was taken is told,
// a run right after another is quiet, a dry run says what the next one does; and
// once all is well each domain gets its new key as if nothing had been.
func TestMonthsOfTroubles(t *testing.T) {
	modes := map[string]spec.DNSMode{
		"lab.example": spec.DNSBind, "b.example": spec.DNSBind, "c.example": spec.DNSUpdate, "d.example": spec.DNSUpdate, "e.example": spec.DNSManual,
	}
	domains := slices.Sorted(maps.Keys(modes))
	failed, foretold := 0, 0
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 21))
		s := newServer(t, r, modes)
		s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag, s.sp.Host.Revoke = 20*day, 7*day, 2*time.Hour, []time.Duration{spec.Never, 5 * day}[seed%2]
		s.drain = 7 * day
		x := newTroubles()
		for range 70 {
			s.now = s.now.Add([]time.Duration{time.Hour, 6 * time.Hour, day}[r.IntN(3)])
			x.change(r, domains)
			s.meet(x)
			before := s.ledger()
			files := systemtest.Tree(s.mem.Files(), nil)
			announced := s.troubled(x, rotation.Options{DryRun: true})
			if systemtest.Tree(s.mem.Files(), nil) != files {
				t.Fatalf("%s: a dry run changed something", s.now.Format(time.DateTime))
			}
			report := s.troubled(x, rotation.Options{})
			failed += len(report.Failed)
			for _, step := range announced.Steps {
				foretold++
				if !slices.Contains(report.Steps, step) && !slices.Contains(report.Failed, step.Domain) {
					t.Errorf("%s: a dry run announced %+v, taken were %+v, failed %q", s.now.Format(time.DateTime), step, report.Steps, report.Failed)
				}
			}
			s.checkReport(report, before)
			s.check()
			s.meet(x) // a key that was made meanwhile is hidden as well
			before = s.ledger()
			again := s.troubled(x, rotation.Options{})
			if again.Changed && len(again.Steps) > 0 && !x.any() {
				t.Errorf("%s: right afterwards it takes further steps: %+v", s.now.Format(time.DateTime), again.Steps)
			}
			s.checkReport(again, before)
			if r.IntN(3) > 0 {
				s.publish()
			}
		}
		s.meet(newTroubles())
		for range 50 {
			s.now = s.now.Add(day / 2)
			s.publish()
			before := s.ledger()
			report := s.troubled(newTroubles(), rotation.Options{})
			if len(report.Failed) > 0 {
				t.Errorf("all is well, and %q failed: %q", report.Failed, s.ui.said)
			}
			s.checkReport(report, before)
			s.check()
		}
		for _, d := range domains {
			k, _ := s.ledger().Signing(d)
			if age := s.now.Sub(k.Since[keyring.Active]); age > 22*day {
				t.Errorf("seed %d: %s still signs with %s, which is %s old", seed, d, k.Selector, age)
			}
		}
	}
	if failed < 50 || foretold < 50 {
		t.Errorf("%d failures, %d announced steps: the months prove little", failed, foretold)
	}
}

// A clock that was set, back or forth by years, takes no record from mail under way and
// lets no key sign before its record was seen for long enough.
func TestAClockThatJumps(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 22))
		s := newServer(t, r, map[string]spec.DNSMode{"lab.example": spec.DNSBind, "b.example": spec.DNSUpdate})
		s.sp.Host.Every, s.sp.Host.Drain, s.sp.Host.Lag = 30*day, 7*day, 2*time.Hour
		s.drain = -1 << 62 // check goes by the wall clock
		certain, published, drained := s.now, map[string]time.Time{}, map[string]time.Time{}
		for range 120 {
			passed := []time.Duration{time.Hour, 6 * time.Hour, day}[r.IntN(3)]
			certain = certain.Add(passed)
			s.now = s.now.Add(passed)
			if r.IntN(12) == 0 {
				jump := []time.Duration{-400 * day, -day, 40 * day, 3 * 365 * day}[r.IntN(4)]
				s.now, s.boot = s.now.Add(jump), s.boot.Add(jump) // the clock since boot goes on as before
			}
			s.tick()
			s.check()
			for domain, keys := range s.ledger() {
				for _, k := range keys {
					name := k.Selector + " " + domain
					switch k.Stage {
					case keyring.Published:
						if published[name].IsZero() {
							published[name] = certain
						}
					case keyring.Active:
						if at := published[name]; !at.IsZero() && certain.Sub(at) < 2*time.Hour {
							t.Fatalf("seed %d: %s signs %s after its record was seen", seed, name, certain.Sub(at))
						}
					case keyring.Draining:
						if drained[name].IsZero() {
							drained[name] = certain
						}
					case keyring.Gone:
						if at := drained[name]; certain.Sub(at) < 7*day {
							t.Fatalf("seed %d: %s is gone %s after it signed", seed, name, certain.Sub(at))
						}
					}
				}
			}
		}
		if s.made < 4 {
			t.Errorf("seed %d: only %d keys were made", seed, s.made)
		}
	}
}

// A run that ended while its undo was not complete is named as such: no other domain is
// tried, and the journal stays open for recover.
func TestARunThatCannotBeTakenBackEndsAll(t *testing.T) {
	s := readyToSign(t)
	s.mem.OnProbe = func(p state.Probe) error {
		if len(p.Signers) == 0 {
			return s.probe(p)
		}
		s.mem.PutFile("/etc/opendkim/KeyTable", "# somebody else's\n")
		return errors.New("a message is not signed")
	}
	report, err := s.rotator().Run(t.Context(), rotation.Options{})
	not := &apply.NotUndoneError{}
	if !errors.As(err, &not) || report != nil {
		t.Fatalf("%v, %+v", err, report)
	}
	if want := []string{"a.example", "b.example", "c.example"}; !slices.Equal(s.attempts, want) {
		t.Errorf("tried were %q, want %q, once", s.attempts, want)
	}
	if open, err := s.j.Open(); err != nil || open == nil {
		t.Errorf("the journal is closed: %v", err)
	}
	if o, _ := s.mem.Read("/etc/opendkim/KeyTable"); string(o.Content) != "# somebody else's\n" {
		t.Errorf("what somebody wrote meanwhile is gone: %q", o.Content)
	}
}
