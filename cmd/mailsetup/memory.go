package main

import (
	"runtime"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
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

// remember reads what earlier runs left: hashes of what we wrote, and keys.
func (s *session) remember() (err error) {
	if s.record, err = s.store().LoadWritten(); err != nil {
		return err
	}
	s.keys, s.memory.keys, err = s.store().LoadLedger()
	return err
}

// storedSpec reads the spec of earlier runs, nil if there is none.
func (s *session) storedSpec() (sp *spec.Spec, err error) {
	sp, s.memory.domains, err = s.store().LoadSpec()
	return sp, err
}

// documents are the TOML files as they should be.
func (s *session) documents(want spec.Spec) (map[state.Path][]byte, error) {
	return s.store().SpecFiles(want.Host, s.subjects(&want), s.memory.domains)
}

// lookUps are how many names are asked about at a time: each waits for DNS.
const lookUps = 32

// processors are how many pieces of work there are hands for.
func processors() int { return runtime.GOMAXPROCS(0) }
