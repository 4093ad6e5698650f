package store

import (
	"errors"
	"fmt"
	"runtime"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// LoadLedger reads the keys of all domains. Of those in onDisk the file has the
// owner and mode that we give it.
func (s Store) LoadLedger() (all, onDisk keyring.Ledger, err error) {
	files, err := s.readDomainFiles(state.LedgerDir, ".json", state.LedgerCache)
	if err != nil {
		return nil, nil, err
	}
	if s.seen != nil {
		s.seen.ledgers = seen(files)
	}
	list := files.list
	keys := make([][]keyring.Key, len(list))
	err = parallel.Do(len(list), runtime.GOMAXPROCS(0), func(i int) (err error) {
		if err = list[i].misplaced(keyring.File(list[i].domain)); err == nil {
			keys[i], err = keyring.ParseDomain(list[i].Content)
		}
		if err != nil {
			return damaged(keyring.File(list[i].domain), "mailsetup init makes another key for "+list[i].domain, err)
		}
		return nil
	})
	all, onDisk = make(keyring.Ledger, len(list)), make(keyring.Ledger, len(list))
	for i, f := range list {
		all[f.domain] = keys[i]
		if f.hasMode(0o600) {
			onDisk[f.domain] = keys[i]
		}
	}
	if err == nil {
		s.saveCache(files, func(i int) []byte { return list[i].Content })
	}
	return all, onDisk, err
}

// damaged returns the error of a file of ours that makes no sense, with what works
// without it.
func damaged(p state.Path, without string, err error) error {
	if noFile := (*system.UnusableError)(nil); errors.As(err, &noFile) {
		err = errors.New(noFile.Text)
	}
	return hint.New(fmt.Sprintf("put the file back from a backup; without one, type: mv %s %s.damaged; then %s", p, p, without), "%s: cannot be used: %w", p, err)
}

// LoadWritten reads the hashes of the files that mailsetup wrote.
func (s Store) LoadWritten() (plan.FileHashes, error) {
	o, err := s.files.Read(state.WrittenFile)
	if err != nil {
		return nil, err
	}
	r, err := plan.ParseFileHashes(o.Content)
	if o.Kind != state.Regular && o.Kind != state.Absent {
		err = system.Misplaced(state.WrittenFile, o, state.Regular)
	}
	if err != nil {
		return nil, damaged(state.WrittenFile, "mailsetup init --overwrite-drift writes all files anew", err)
	}
	return r, nil
}
