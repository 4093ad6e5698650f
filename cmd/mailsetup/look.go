package main

import "mailsetup/internal/facts"

// collector gathers the facts of this run.
func (s *session) collector() *facts.Collector {
	if s.facter == nil {
		s.facter = facts.New(s.Machine)
	}
	return s.facter
}
