package main

import (
	"cmp"
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
	o, err := s.sys.Read(keyring.PassedFile)
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
	return s.jot(keyring.PassedFile, keyring.MarshalPassed(s.passed))
}

// jot writes a file of ours that no run has to take back.
func (s *session) jot(p state.Path, content []byte) error {
	draft := p + state.Path("."+s.random(6)+"~")
	object := state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: content}
	if err := s.sys.Create(draft, object); err != nil {
		return err
	}
	return cmp.Or(s.sys.Sync(draft), s.sys.Rename(draft, p))
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
			out[k.Selector] = s.now.Sub(since)
		}
	}
	return out
}

// toldToday reports whether a run of the last day told of the key, and takes
// note that this one does.
func (s *session) toldToday(domain string, k keyring.Key) bool {
	last, ok := s.passed.Told[domain+" "+k.Selector]
	if since := s.now.Sub(last); ok && since >= 0 && since < oneDay {
		return true
	}
	s.passed = s.passed.Tell(domain, k, s.now)
	return false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
