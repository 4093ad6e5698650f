package store

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// OnDisk are the domains in the files when the run began, with files of the right owner
// and mode: such a file is not written if its domain stays the same.
type OnDisk map[string]*spec.Domain

// Domains returns the names of the domains that have a file, sorted.
func (s Store) Domains() ([]string, error) { return domainsIn(s.files, spec.DomainsDir(), ".toml") }

// HasMoreDomains reports whether there are more domains than a number below minCachedFiles.
// Where there is a cache of their files they are not counted: there were more.
func HasMoreDomains(files Files, than int) (bool, error) {
	if exists(files, state.SpecCache) {
		return true, nil
	}
	names, err := New(files).Domains()
	return len(names) > than, err
}

// Host returns host.toml as far as it can be parsed, the zero value without one.
// LoadSpec returns its faults.
func (s Store) Host() (spec.Host, error) {
	text, err := system.ReadFile(s.files, spec.HostFile)
	if err != nil {
		return spec.Host{}, err
	}
	sp, _ := spec.Parse(text, nil)
	return sp.Host, nil
}

// LoadSpec reads the spec, nil if nothing is set up.
func (s Store) LoadSpec() (*spec.Spec, OnDisk, error) {
	if o, err := s.files.Stat(spec.HostFile); err != nil || o.Kind == state.Absent {
		return nil, nil, err
	}
	host, files, err := readSpec(s)
	if err != nil {
		return nil, nil, err
	}
	texts, misplaced := files.texts()
	if domains := slices.Sorted(maps.Keys(misplaced)); len(domains) > 0 {
		return nil, nil, misplaced[domains[0]]
	}
	sp, err := spec.Parse(host, texts)
	if err != nil {
		return nil, nil, &hint.Error{
			Err: err, Lines: []string{"correct the file; mailsetup never rewrites what it cannot read"}, Usage: true,
		}
	}
	onDisk := make(OnDisk, len(files.list))
	for i, f := range files.list { // both are sorted
		if f.hasMode(0o644) {
			onDisk[f.domain] = &sp.Domains[i]
		}
	}
	s.saveCache(files, func(i int) []byte {
		if files.list[i].cached {
			return files.list[i].Content
		}
		return spec.MarshalBrief(sp.Domains[i])
	})
	return &sp, onDisk, nil
}

// LoadReadable reads what the administrator wants of the domains with whose own files
// nothing is wrong, and says what is wrong with those of others.
func (s Store) LoadReadable() (*spec.Spec, OnDisk, map[string]error, error) {
	sp, onDisk, err := s.LoadSpec()
	findings, noFile := syntax.Findings(nil), (*system.UnusableError)(nil)
	if !errors.As(err, &findings) && !errors.As(err, &noFile) {
		return sp, onDisk, nil, err
	}
	host, files, err := readSpec(s)
	if err != nil {
		return nil, nil, nil, err
	}
	texts, unreadable := files.texts()
	some, bad, err := spec.ParseReadable(host, texts)
	if first := unreadable[some.Host.Domain]; first != nil {
		err = first
	}
	if err != nil {
		return nil, nil, nil, err
	}
	for domain, f := range bad {
		unreadable[domain] = hint.NewUsage(f[0].Hint, "%s", syntax.Finding{Field: f[0].Field, Text: f[0].Text})
	}
	return &some, OnDisk{}, unreadable, nil
}

// readSpec reads what LoadSpec parses.
func readSpec(s Store) (host []byte, files domainFiles, err error) {
	if host, err = system.ReadFile(s.files, spec.HostFile); err == nil {
		files, err = s.readDomainFiles(spec.DomainsDir(), ".toml", state.SpecCache)
	}
	if s.seen != nil {
		s.seen.domains = seen(files)
	}
	return host, files, err
}

// texts returns what the files of the spec say, and what is wrong with what is no file.
func (files domainFiles) texts() (texts map[string][]byte, misplaced map[string]error) {
	texts, misplaced = make(map[string][]byte, len(files.list)), map[string]error{}
	for _, f := range files.list {
		if err := f.misplaced(spec.DomainFile(f.domain)); err != nil {
			misplaced[f.domain] = err
		} else {
			texts[f.domain] = f.Content
		}
	}
	return texts, misplaced
}

// SpecFiles returns the TOML files of the host and of some domains as they should be:
// new ones in full, existing ones with only the changed lines changed. Files that need
// no change are left out.
func (s Store) SpecFiles(h spec.Host, domains []spec.Domain, onDisk OnDisk) (map[state.Path][]byte, error) {
	files := map[state.Path][]byte{}
	text, err := specFile(s, spec.HostFile, spec.MarshalHost(h), func(b []byte) ([]byte, error) { return spec.SetHost(b, h) })
	if err != nil {
		return nil, err
	}
	files[spec.HostFile] = text
	for _, d := range domains {
		if was, ok := onDisk[d.Name]; ok && reflect.DeepEqual(*was, d) {
			continue
		}
		p := spec.DomainFile(d.Name)
		if files[p], err = specFile(s, p, spec.MarshalDomain(d), func(b []byte) ([]byte, error) { return spec.SetDomain(b, d) }); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func specFile(s Store, p state.Path, fresh []byte, edit func([]byte) ([]byte, error)) (text []byte, err error) {
	text, brought := s.texts[p]
	if !brought {
		if text, err = system.ReadFile(s.files, p); err != nil || !exists(s.files, p) {
			return fresh, err
		}
	}
	text, err = edit(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return text, nil
}
