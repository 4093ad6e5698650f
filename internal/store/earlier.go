package store

import (
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
)

// Earlier is what earlier runs left on a machine.
type Earlier struct {
	Spec   *spec.Spec // nil where nothing is set up
	Ledger keyring.Ledger
	Hashes plan.FileHashes // hashes of the files that mailsetup wrote
	// Unreadable is what is wrong with the files of domains that Spec does not have, after
	// LoadReadable.
	Unreadable map[string]error

	// SpecOnDisk and LedgerOnDisk are the parts whose files need not be written again
	// where they stay the same.
	SpecOnDisk   OnDisk
	LedgerOnDisk keyring.Ledger
}

// Load reads what earlier runs left, with the cache, which a dry run does not write.
func Load(files Files, dryRun bool, logf func(format string, a ...any)) (Earlier, error) {
	s := withCache(files, dryRun, logf)
	var e Earlier
	err := e.readKeys(s)
	if err == nil {
		e.Spec, e.SpecOnDisk, err = s.LoadSpec()
	}
	return e, err
}

// LoadReadable is Load without the domains whose files are wrong.
func LoadReadable(files Files, dryRun bool, logf func(format string, a ...any)) (Earlier, error) {
	s := withCache(files, dryRun, logf)
	var e Earlier
	err := e.readKeys(s)
	if err == nil {
		e.Spec, e.SpecOnDisk, e.Unreadable, err = s.LoadReadable()
	}
	return e, err
}

func withCache(files Files, dryRun bool, logf func(format string, a ...any)) Store {
	failed := func(err error) { logf("the next run will read all files again: %v", err) }
	if dryRun {
		failed = nil
	}
	return New(files).WithCache(failed)
}

// Reload reads the keys and the hashes again, which a run may have changed since.
func (e *Earlier) Reload(files Files) error { return e.readKeys(New(files)) }

func (e *Earlier) readKeys(s Store) (err error) {
	if e.Hashes, err = s.LoadWritten(); err == nil {
		e.Ledger, e.LedgerOnDisk, err = s.LoadLedger()
	}
	return err
}

// SetUp returns the spec of a server that init was run on. Kind is what messages call
// the machine.
func (e Earlier) SetUp(kind string) (spec.Spec, error) {
	if e.Spec == nil {
		return spec.Spec{}, hint.NewUsage("mailsetup init", "this %s is not set up yet", kind)
	}
	return *e.Spec, nil
}
