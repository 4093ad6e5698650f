package main

import (
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// A domain whose file somebody took away still has a key that nothing told to
// drain: removing it does.
func TestADomainWhoseFileWasTakenAwayIsRemoved(t *testing.T) {
	s, _, said, want := bareSession(t)
	s.keys["shop.example"] = []keyring.Key{{Selector: "a", Stage: keyring.Active}}
	if err := s.remove([]string{"shop.example"}, &want, false); err != nil || !s.scope.Selects("shop.example") {
		t.Errorf("%v, scope %q, said %q", err, s.scope.Selection(), said)
	}
	s.scope, s.keys["shop.example"][0].Stage = step.Scope{}, keyring.Draining
	if err := s.remove([]string{"shop.example"}, &want, false); err != nil || s.scope.Selects("shop.example") {
		t.Errorf("once it drains: %v, scope %q", err, s.scope.Selection())
	}
}

// A run that only takes keys away makes none for a domain that came back.
func TestATickMakesNoKey(t *testing.T) {
	s, _, _, want := bareSession(t)
	s.steps, s.scope = steps.Ending(), step.Only("lab.example")
	w, err := s.work(t.Context(), want, &want)
	if err != nil || len(w.fresh) != 0 || len(w.input.Keys["lab.example"]) != 0 {
		t.Errorf("%v, makes %d, ledger %v", err, len(w.fresh), w.input.Keys)
	}
	s.steps = nil
	if w, err = s.work(t.Context(), want, &want); err != nil || len(w.fresh) != 1 {
		t.Errorf("a run of all steps: %v, makes %d", err, len(w.fresh))
	}
}
