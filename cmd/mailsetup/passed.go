package main

import (
	"maps"
	"os"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// count takes notice of the time that has certainly passed since the last run,
// and writes that down where it matters.
func (s *session) count() error {
	if s.o.root != "" {
		return nil
	}
	written := s.loadPassed()
	reading, err := system.ReadClock()
	if err != nil {
		return err
	}
	s.passed = written.Count(s.keys, reading)
	if written.Same(s.passed, time.Hour) || len(written.Keys)+len(s.passed.Keys) == 0 {
		return nil
	}
	return s.savePassed()
}

// loadPassed reads what earlier runs counted. Without it every wait begins
// anew, which is safe.
func (s *session) loadPassed() keyring.Passed {
	o, err := s.Sys.Read(keyring.PassedFile)
	if err != nil || o.Kind == state.Absent {
		return keyring.Passed{}
	}
	p, err := keyring.ParsePassed(o.Content)
	if err != nil {
		s.c.say("%s: %v; keys wait for their whole time again", keyring.PassedFile, err)
	}
	return p
}

// savePassed is an observation and needs no journal.
func (s *session) savePassed() error {
	if s.o.dryRun || os.Geteuid() != 0 || !s.exists(plan.Home) {
		return nil
	}
	return s.jot(memo{keyring.PassedFile, keyring.MarshalPassed(s.passed)})
}

// passedOf is how long the keys of a domain have been in their stages. In a
// tree there is only the wall clock to ask.
func (s *session) passedOf(domain string) map[string]time.Duration {
	if s.o.root == "" {
		return s.passed.Of(domain, s.keys[domain])
	}
	out := map[string]time.Duration{}
	for _, k := range s.keys[domain] {
		if since, ok := k.Since[k.Stage]; ok {
			out[k.Selector] = s.Now.Sub(since)
		}
	}
	return out
}

// toldToday reports whether a run of the last day told of the key, and takes
// note that this one does.
func (s *session) toldToday(domain string, k keyring.Key) bool {
	if at, ok := s.passed.ToldAt(domain, k); ok && s.today(at) {
		return true
	}
	s.passed = s.passed.Tell(domain, k, s.Now)
	return false
}

// today reports whether a time is in the last day: one in the future is of a
// clock that went wrong.
func (s *session) today(at time.Time) bool {
	since := s.Now.Sub(at)
	return since >= 0 && since < oneDay
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
