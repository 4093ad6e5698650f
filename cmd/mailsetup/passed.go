package main

import (
	"os"

	"mailsetup/internal/system"
)

// count takes notice of the time that has certainly passed since the last run,
// and writes that down where it matters.
func (s *session) count() error {
	if s.o.root != "" {
		return nil
	}
	written, err := s.store().LoadElapsed()
	if err != nil {
		s.c.say("%v", err)
	}
	reading, err := system.ReadClock()
	if err != nil {
		return err
	}
	s.passed = written.Advance(s.keys, reading)
	if s.o.dryRun || os.Geteuid() != 0 {
		return nil
	}
	return s.store().UpdateElapsed(written, s.passed)
}

// savePassed is an observation and needs no journal.
func (s *session) savePassed() error {
	if s.o.dryRun || os.Geteuid() != 0 {
		return nil
	}
	return s.store().SaveElapsed(s.passed)
}
