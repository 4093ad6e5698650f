package main

import (
	"testing"

	"mailsetup/internal/keyring"
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
