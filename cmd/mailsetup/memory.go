package main

import (
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/store"
)

// memory is what the files of the domains said when the run began, see
// store.OnDisk.
type memory struct {
	domains store.OnDisk
	keys    keyring.Ledger
}

// store is where mailsetup keeps its own files.
func (s *session) store() store.Store { return store.New(s.Sys) }

// cachedStore is for the first look at the files of domains.
func (s *session) cachedStore() store.Store {
	if s.o.dryRun {
		return s.store().WithCache(nil)
	}
	return s.store().WithCache(func(err error) { s.c.say("the next run will read all files again: %v", err) })
}

// remember reads what earlier runs left: hashes of what we wrote, and keys.
func (s *session) remember() error { return s.rememberFrom(s.store()) }

func (s *session) rememberFrom(from store.Store) (err error) {
	if s.hashes, err = from.LoadWritten(); err != nil {
		return err
	}
	s.keys, s.memory.keys, err = from.LoadLedger()
	return err
}

// storedSpec reads the spec of earlier runs, nil if there is none.
func (s *session) storedSpec() (sp *spec.Spec, err error) {
	sp, s.memory.domains, err = s.cachedStore().LoadSpec()
	return sp, err
}
