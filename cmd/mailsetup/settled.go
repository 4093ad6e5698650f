package main

import (
	"mailsetup/internal/spec"
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
