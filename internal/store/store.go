// Package store reads and writes mailsetup's own files below /etc/mailsetup and
// /var/lib/mailsetup; nobody else knows their paths.
//
// A plan changes the spec, the ledger and the record of written files. What is
// written here is observations: without one of them a run does more work, or a
// key waits longer, and no run has to take one back.
package store

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Files are the files of a machine.
type Files interface {
	system.Reader
	system.Writer
}

// Store knows where the files are; it holds nothing of what they say.
type Store struct{ files Files }

// New returns the store of a machine.
func New(files Files) Store { return Store{files} }

// exists reports whether there is anything at a path. What cannot be looked at
// counts as missing.
func (s Store) exists(p state.Path) bool {
	o, err := s.files.Stat(p)
	return err == nil && o.Kind != state.Absent
}

// Exists reports whether there is a directory for mailsetup's own files: some
// run has changed this machine.
func (s Store) Exists() bool { return s.exists(state.OwnDir) }

// makeDir makes a directory that only root can read, if it is missing.
func (s Store) makeDir(p state.Path) error {
	if s.exists(p) {
		return nil
	}
	err := s.files.Mkdir(p, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// ownFile is a file of ours that no run has to take back.
type ownFile struct {
	path    state.Path
	content []byte
}

// writeAtomic puts files in place, each at once. Several processes may do so at a
// time. If one of the files cannot be written, none is and no draft stays; a
// failure after that is of a rename.
func (s Store) writeAtomic(files ...ownFile) (err error) {
	var drafts []state.Path
	defer func() {
		if err != nil {
			for _, d := range drafts {
				_ = s.files.Remove(d) // what was renamed is not there any more
			}
		}
	}()
	for _, f := range files {
		draft := f.path + state.Path("."+strings.ToLower(rand.Text()[:6])+"~")
		err := s.files.Create(draft, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: f.content})
		if err != nil {
			return err
		}
		drafts = append(drafts, draft)
	}
	if err := s.files.Sync(drafts...); err != nil {
		return err
	}
	for i, f := range files {
		if err := s.files.Rename(drafts[i], f.path); err != nil {
			return err
		}
	}
	return nil
}

// domainFile is a file that is named after a domain.
type domainFile struct {
	domain string
	state.Object
}

// hasMode reports whether the file has the mode and the owner that we give it.
func (f domainFile) hasMode(mode fs.FileMode) bool { return f.Mode == mode && f.Owner == state.Root }

// readDomainFiles reads the files of a directory that are named after domains,
// sorted by name. Several at once: with many domains this is most of what a run
// does.
func (s Store) readDomainFiles(dir state.Path, extension string) ([]domainFile, error) {
	domains, err := domainsIn(s.files, dir, extension)
	if err != nil {
		return nil, err
	}
	files := make([]domainFile, len(domains))
	return files, parallel.Do(len(files), runtime.GOMAXPROCS(0), func(i int) (err error) {
		files[i].domain = domains[i]
		files[i].Object, err = s.files.Read(dir.Join(domains[i] + extension))
		return err
	})
}

// domainsIn returns the domains after which files of a directory are named, sorted.
func domainsIn(from Files, dir state.Path, extension string) ([]string, error) {
	names, err := from.List(dir)
	var domains []string
	for _, n := range names {
		if domain, ok := strings.CutSuffix(n, extension); ok {
			domains = append(domains, domain)
		}
	}
	slices.Sort(domains)
	return domains, err
}
