package main

import (
	"mailsetup/internal/spec"
	"mailsetup/steps"
)

// few domains, names in a line, senders or files.
const few = 20

// findSettled takes the domains out of the scope of which nothing has changed.
func (s *session) findSettled(w *spec.Spec) (err error) {
	s.scope = s.scope.Skip(nil)
	if !s.scope.WholeHost() || s.Image != nil {
		return nil
	}
	if s.fingerprints == nil {
		if s.fingerprints, err = s.store().LoadFingerprints(); err != nil {
			return err
		}
	}
	unchanged, err := s.store().Unchanged(*w, s.keys, s.fingerprints)
	s.scope = s.scope.Skip(unchanged)
	return err
}

// settledNow remembers the domains as this run leaves them. Without that the
// next one takes longer, and no more. A run that took a part of the steps knows
// too little.
func (s *session) settledNow(in steps.Input) {
	if s.Image != nil || s.steps != nil {
		return
	}
	if err := s.store().SaveFingerprints(in); err != nil {
		s.c.say("the next run will look at all domains again: %v", err)
	}
}
