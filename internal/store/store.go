// Package store reads and writes mailsetup's own files below /etc/mailsetup and
// /var/lib/mailsetup.
//
// A plan changes the spec, the ledger and the record of written files. What is
// written here is observations: without one of them a run does more work, or a
// key waits longer, and no run has to take one back.
package store

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Files are the files of a machine.
type Files interface {
	system.Reader
	system.Writer
}

// Store knows the paths of mailsetup's files; it keeps none of their contents.
type Store struct {
	files       Files
	cached      bool
	cacheFailed func(error)
	texts       map[state.Path][]byte
	seen        *seenFiles // told of the files of the domains; nil if nobody asks
}

// New returns the store of a machine.
func New(files Files) Store { return Store{files: files} }

// NewWith returns the store for a run that writes these texts of the spec before it
// changes something in them.
func NewWith(files Files, texts map[state.Path][]byte) Store {
	return Store{files: files, texts: texts}
}

// exists reports whether a path exists. One that cannot be examined counts as missing.
func exists(files Files, p state.Path) bool {
	o, err := files.Stat(p)
	return err == nil && o.Kind != state.Absent
}

// Exists reports whether the directory of mailsetup's own files exists: some run has
// changed this machine.
func (s Store) Exists() bool { return exists(s.files, state.OwnDir) }

// makeDir makes a directory that only root can read, if it is missing.
func makeDir(files Files, p state.Path) error {
	if exists(files, p) {
		return nil
	}
	err := files.Mkdir(p, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// ownFile is a file of ours outside of plans.
type ownFile struct {
	path    state.Path
	content []byte
}

// writeAtomic writes files, each atomically. Several processes may do so at a time. If
// one cannot be written, none is and no temporary file stays; only renames can fail
// after that.
func (s Store) writeAtomic(files ...ownFile) error { return write(s.files, true, files...) }

// write is writeAtomic; without sync a file may be cut short or empty after a crash.
func write(on Files, sync bool, files ...ownFile) (err error) {
	var drafts []state.Path
	defer func() {
		if err != nil {
			for _, d := range drafts {
				_ = on.Remove(d) // what was renamed is not there any more
			}
		}
	}()
	for _, f := range files {
		draft := f.path + state.Path("."+strings.ToLower(rand.Text()[:6])+"~")
		err := on.Create(draft, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: f.content})
		if err != nil {
			return err
		}
		drafts = append(drafts, draft)
	}
	if sync {
		if err := on.Sync(drafts...); err != nil {
			return err
		}
	}
	for i, f := range files {
		if err := on.Rename(drafts[i], f.path); err != nil {
			return err
		}
	}
	return nil
}

// SaveOrigins writes down how files were before mailsetup first changed them, in these
// files.
func SaveOrigins(files Files, texts map[state.Path][]byte) error {
	if len(texts) == 0 {
		return nil
	}
	for _, dir := range []state.Path{state.OwnDir, state.JournalDir, state.OriginDir} {
		if err := makeDir(files, dir); err != nil {
			return err
		}
	}
	var all []ownFile
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, ownFile{file, texts[file]})
	}
	return New(files).writeAtomic(all...)
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
