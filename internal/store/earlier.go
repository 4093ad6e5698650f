package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
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

	seen *seenFiles // the files of the domains; nil where they were not looked at
}

// Load reads what earlier runs left, with the cache, which a dry run does not write.
func Load(files Files, dryRun bool, logf func(format string, a ...any)) (Earlier, error) {
	return load(withCache(files, dryRun, logf), func(s Store, e *Earlier) (err error) {
		e.Spec, e.SpecOnDisk, err = s.LoadSpec()
		return err
	})
}

// LoadReadable is Load without the domains whose files are wrong.
func LoadReadable(files Files, dryRun bool, logf func(format string, a ...any)) (Earlier, error) {
	return load(withCache(files, dryRun, logf), func(s Store, e *Earlier) (err error) {
		e.Spec, e.SpecOnDisk, e.Unreadable, err = s.LoadReadable()
		return err
	})
}

// load reads the keys and the spec at the same time: with ten thousand domains each keeps
// one processor busy for half of its time.
func load(s Store, readSpec func(s Store, e *Earlier) error) (e Earlier, err error) {
	e.seen = &seenFiles{}
	s.seen = e.seen
	var wg sync.WaitGroup
	var wrong error
	wg.Go(func() { wrong = readSpec(s, &e) })
	keys := Earlier{}
	err = keys.readKeys(s)
	wg.Wait()
	e.Ledger, e.LedgerOnDisk, e.Hashes = keys.Ledger, keys.LedgerOnDisk, keys.Hashes
	return e, cmp.Or(err, wrong)
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

// Again returns it with what the files of the host and of some domains say now. The others
// are as they were.
func (e Earlier) Again(files Files, domains []string) (Earlier, error) {
	host, err := system.ReadFile(files, spec.HostFile)
	if err != nil {
		return e, err
	}
	texts := map[string][]byte{}
	ledger := maps.Clone(e.Ledger)
	if ledger == nil {
		ledger = keyring.Ledger{}
	}
	for _, domain := range append(slices.Clip(domains), e.Spec.Host.Domain) {
		text, err := system.ReadFile(files, spec.DomainFile(domain))
		if err != nil {
			return e, err
		}
		if text != nil {
			texts[domain] = text
		}
		if ledger[domain], err = keysOf(files, domain); err != nil {
			return e, err
		}
		if ledger[domain] == nil {
			delete(ledger, domain)
		}
	}
	some, _, err := spec.ParseReadable(host, texts)
	if err != nil {
		return e, err
	}
	now := spec.Spec{Host: some.Host, Domains: slices.Grow(some.Domains, len(e.Spec.Domains))}
	for _, d := range e.Spec.Domains {
		if d.Name != e.Spec.Host.Domain && !slices.Contains(domains, d.Name) {
			now.Domains = append(now.Domains, d)
		}
	}
	slices.SortFunc(now.Domains, func(a, b spec.Domain) int { return strings.Compare(a.Name, b.Name) })
	e.Spec, e.Ledger = &now, ledger
	return e, nil
}

// keysOf reads the ledger of one domain.
func keysOf(files Files, domain string) ([]keyring.Key, error) {
	text, err := system.ReadFile(files, keyring.File(domain))
	if err != nil || text == nil {
		return nil, err
	}
	return keyring.ParseDomain(text)
}

// SetUp returns the spec of a server that init was run on. Kind is what messages call
// the machine.
func (e Earlier) SetUp(kind string) (spec.Spec, error) {
	if e.Spec == nil {
		return spec.Spec{}, hint.NewUsage("mailsetup init", "this %s is not set up yet", kind)
	}
	return *e.Spec, nil
}
