package main

import (
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

const keyFile = "/etc/dkimkeys/lab.example/202611.private"

// signed is a session on a machine whose one key signs.
func signed(t *testing.T, probe func(state.Probe) error) (*session, *work, func() string) {
	t.Helper()
	s, mem, said, want := bareSession(t)
	mem.OnProbe = probe
	s.keys = s.keys.With("lab.example", keyring.Key{Selector: "202611", Bits: 2048, Public: "MIIB", File: keyFile, Stage: keyring.Active})
	mem.Put(keyFile, state.Object{Kind: state.Regular, Mode: 0o600, Content: []byte("PEM")})
	return s, &work{input: steps.Input{Spec: want, Facts: s.facts, Keys: s.keys, Now: s.Now}}, said.String
}

func stopped(state.Probe) error { return errors.New("connection refused") }

func TestNothingToDoIsNotSaidOfAStoppedSigner(t *testing.T) {
	s, w, said := signed(t, stopped)
	err := s.nothingToDo(t.Context(), w, plan.Plan{})
	if err == nil || !strings.Contains(err.Error(), "mail does not leave signed") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
	if strings.Contains(said(), "as you asked for") {
		t.Errorf("said\n%s", said())
	}
}

func TestNothingToDo(t *testing.T) {
	var asked []state.Signer
	s, w, said := signed(t, func(p state.Probe) error { asked = append(asked, p.Signers...); return nil })
	if err := s.nothingToDo(t.Context(), w, plan.Plan{}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0].From != "root@mail.lab.example" || asked[0].Domain != "lab.example" {
		t.Errorf("asked for %+v", asked)
	}
	if !strings.Contains(said(), "Nothing to do: this server is as you asked for.") {
		t.Errorf("said\n%s", said())
	}
}

// What the last line says of the signer was seen in this very run.
func TestTheVerdictIsThatOfTheSigner(t *testing.T) {
	const claim = "The signer was asked, and signs mail of this server."
	zone := plan.Plan{Stages: []plan.StageChanges{{Name: "Zone"}}}
	signer := plan.Plan{Stages: []plan.StageChanges{{Name: "OpenDKIM", Units: []state.Unit{
		{Settled: []state.Probe{{Kind: state.ProbeSigns}}},
	}}}}
	for _, c := range []struct {
		name  string
		plan  plan.Plan
		probe func(state.Probe) error
		want  bool
	}{
		{"a run that asked it", signer, stopped, true},
		{"a run that did not, of a signer that answers", zone, nil, true},
		{"a run that did not, of a signer that is down", zone, stopped, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w, said := signed(t, c.probe)
			if err := s.done(t.Context(), w, c.plan, apply.Report{}); errors.Is(err, errProblemsFound) == c.want {
				t.Fatalf("error %v", err)
			}
			if got := strings.Contains(said(), claim); got != c.want {
				t.Errorf("claim %v, want %v:\n%s", got, c.want, said())
			}
			if down := strings.Contains(said(), "hint: systemctl start opendkim if it is down"); down == c.want {
				t.Errorf("hint %v:\n%s", down, said())
			}
		})
	}
}

// Where Postfix could not be asked where it would deliver, no message is sent, and
// nothing is said of mail that leaves.
func TestTheVerdictIsNoMoreThanWhatWasProven(t *testing.T) {
	s, w, said := signed(t, nil)
	s.facts.Postfix = &state.Postfix{
		QueueDirectory: state.Path(t.TempDir()), Services: []state.Service{{Name: "smtp/unix", Command: "smtp"}}, Value: map[string]string{},
	}
	if err := s.done(t.Context(), w, plan.Plan{}, apply.Report{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(said()), " ")
	if strings.Contains(text, "leaves signed") || !strings.Contains(text, "The signer was asked, and signs mail of this server. What Postfix does with it after that is not known: Postfix was asked where it would deliver") {
		t.Errorf("said\n%s", said())
	}
}

// A unit that somebody has stopped, and that the run had no reason to act on, is
// told with the command, whatever else was done.
func TestDoneTellsOfAUnitThatIsStopped(t *testing.T) {
	s, w, said := signed(t, nil)
	w.input.Facts.Postfix = &state.Postfix{Unit: "postfix.service"}
	w.input.Facts.Daemons = map[string]state.Daemon{"postfix.service": {Stopped: true}}
	err := s.done(t.Context(), w, plan.Plan{}, apply.Report{})
	if !errors.Is(err, errProblemsFound) || strings.Contains(said(), "signs mail") ||
		!strings.Contains(said(), "all of this stays, but postfix.service was stopped") || !strings.Contains(said(), "hint: systemctl start postfix.service") {
		t.Errorf("error %v, said\n%s", err, said())
	}
	// Of the signer it is told by name, not by what a message ran into.
	s2, w2, said2 := signed(t, stopped)
	w2.input.Facts.Daemons = map[string]state.Daemon{"opendkim.service": {Stopped: true}}
	err = s2.done(t.Context(), w2, plan.Plan{}, apply.Report{})
	if !errors.Is(err, errProblemsFound) || !strings.Contains(said2(), "all of this stays, but opendkim.service was stopped") || strings.Contains(said2(), "connection refused") {
		t.Errorf("of the signer: error %v, said\n%s", err, said2())
	}
	acted := plan.Plan{Stages: []plan.StageChanges{{Units: []state.Unit{{Name: "postfix.service", Action: state.Reload}}}}}
	if err := s.done(t.Context(), w, acted, apply.Report{}); err != nil {
		t.Errorf("after the run started it: %v", err)
	}
}
