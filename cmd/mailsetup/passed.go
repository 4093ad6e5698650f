package main

import (
	"maps"
	"os"
	"slices"
	"time"

	"mailsetup/internal/keyring"
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
	s.passed = written.Count(s.keys, reading)
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

// notifiedToday reports whether a run of the last day told of the key.
func (s *session) notifiedToday(domain string, k keyring.Key) bool {
	at, ok := s.passed.ToldAt(domain, k)
	return ok && s.today(at)
}

// markNotified notes that this run tells of the key.
func (s *session) markNotified(domain string, k keyring.Key) {
	s.passed = s.passed.Tell(domain, k, s.Now)
}

// today reports whether a time is in the last day: one in the future is of a
// clock that went wrong.
func (s *session) today(at time.Time) bool {
	since := s.Now.Sub(at)
	return since >= 0 && since < oneDay
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
