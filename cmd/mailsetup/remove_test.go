package main

import (
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/steps"
)

// A domain whose file somebody took away still has a key that nothing told to
// drain: removing it does.
func TestADomainWhoseFileWasTakenAwayIsRemoved(t *testing.T) {
	s, _, said, want := bareSession(t)
	s.keys["shop.example"] = []keyring.Key{{Selector: "a", Stage: keyring.Active}}
	if err := s.remove([]string{"shop.example"}, &want, false); err != nil || !s.touched["shop.example"] {
		t.Errorf("%v, touched %v, said %q", err, s.touched, said)
	}
	s.touched, s.keys["shop.example"][0].Stage = nil, keyring.Draining
	if err := s.remove([]string{"shop.example"}, &want, false); err != nil || s.touched["shop.example"] {
		t.Errorf("once it drains: %v, touched %v", err, s.touched)
	}
}

// A run that only takes keys away makes none for a domain that came back.
func TestATickMakesNoKey(t *testing.T) {
	s, _, _, want := bareSession(t)
	s.steps, s.touched = steps.Ending(), map[string]bool{"lab.example": true}
	w, err := s.work(t.Context(), want, &want)
	if err != nil || len(w.fresh) != 0 || len(w.input.Keys["lab.example"]) != 0 {
		t.Errorf("%v, makes %d, ledger %v", err, len(w.fresh), w.input.Keys)
	}
	s.steps = nil
	if w, err = s.work(t.Context(), want, &want); err != nil || len(w.fresh) != 1 {
		t.Errorf("a run of all steps: %v, makes %d", err, len(w.fresh))
	}
}
