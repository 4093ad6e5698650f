package main

import (
	"errors"
	"testing"

	"mailsetup/internal/state"
)

// A look that began ahead counts if it was at the zones that matter; another is
// given up.
func TestALookAhead(t *testing.T) {
	s, _, _, _ := bareSession(t)
	began := func(origins ...string) (canceled *bool) {
		canceled = new(bool)
		g := &glance{
			origins: origins, cancel: func() { *canceled = true }, done: make(chan struct{}),
			facts: state.Facts{Hostname: "seen ahead"}, err: errors.New("as it went"),
		}
		close(g.done)
		s.glance = g
		return canceled
	}
	began("a.example", "b.example")
	if f, err := s.lookedAt(t.Context(), []string{"a.example", "b.example"}); f.Hostname != "seen ahead" || err == nil || err.Error() != "as it went" {
		t.Errorf("%q, %v", f.Hostname, err)
	}
	canceled := began("a.example")
	if f, _ := s.lookedAt(t.Context(), []string{"c.example"}); f.Hostname == "seen ahead" || !*canceled || s.glance != nil {
		t.Errorf("%q, canceled %v, %v", f.Hostname, *canceled, s.glance)
	}
	canceled = began("a.example")
	s.glance.end()
	if !*canceled {
		t.Error("the end of a run does not end the look")
	}
}
