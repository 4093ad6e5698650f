package main

import (
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// memory is what the files of the domains said when the run began, where they
// stand with the owner and mode that they should have: what says the same in
// the end need not be looked at again.
type memory struct {
	domains map[string]*spec.Domain
	keys    keyring.Ledger
}

// remember reads what earlier runs left: hashes of what we wrote, and keys.
func (s *session) remember() error {
	o, err := s.Sys.Read(plan.RecordPath)
	if err != nil {
		return err
	}
	if s.record, err = plan.ParseRecord(o.Content); err != nil {
		return fmt.Errorf("%s: %w", plan.RecordPath, err)
	}
	s.keys, s.memory.keys = keyring.Ledger{}, keyring.Ledger{}
	r, err := s.recallFiles(keyring.Dir(), ".json")
	if err != nil {
		return err
	}
	keys := make([][]keyring.Key, len(r.files))
	err = sideBySide(len(r.files), processors(), func(i int) (err error) {
		f := r.files[i]
		if keys[i], err = keyring.ParseDomain(f.Content); err != nil {
			return fmt.Errorf("%s: %w", keyring.File(f.domain), err)
		}
		return nil
	})
	for i, f := range r.files {
		s.keys[f.domain] = keys[i]
		if f.standsAs(0o600) {
			s.memory.keys[f.domain] = keys[i]
		}
	}
	return err
}

// storedSpec reads the spec of earlier runs, nil if there is none.
func (s *session) storedSpec() (*spec.Spec, error) {
	host, err := s.Sys.Read(spec.HostFile)
	if err != nil || host.Kind == state.Absent {
		return nil, err
	}
	r, err := s.recallFiles(spec.DomainsDir(), ".toml")
	if err != nil {
		return nil, err
	}
	texts := make(map[string][]byte, len(r.files))
	for _, f := range r.files {
		texts[f.domain] = f.Content
	}
	sp, err := spec.Parse(host.Content, texts)
	if err != nil {
		return nil, usage("correct the file; mailsetup never rewrites what it cannot read", "%w", err)
	}
	s.memory.domains = make(map[string]*spec.Domain, len(r.files))
	for i := range r.files { // both are sorted
		f := &r.files[i]
		if f.standsAs(0o644) {
			s.memory.domains[f.domain] = &sp.Domains[i]
		}
		if !f.known && s.recalls[r.memory] == r { // and is to be remembered
			f.Content = spec.Brief(sp.Domains[i])
		}
	}
	return &sp, nil
}

// documents are the TOML files as they should be: new ones in full, existing
// ones with just the changed lines changed. One of a domain that says what is
// wanted, and stands there as it should, is left out.
func (s *session) documents(want spec.Spec) (map[state.Path][]byte, error) {
	docs := map[state.Path][]byte{}
	text, err := s.document(spec.HostFile, spec.MarshalHost(want.Host),
		func(b []byte) ([]byte, error) { return spec.SetHost(b, want.Host) })
	if err != nil {
		return nil, err
	}
	docs[spec.HostFile] = text
	for _, d := range s.subjects(&want) {
		if was, ok := s.memory.domains[d.Name]; ok && reflect.DeepEqual(*was, d) {
			continue
		}
		p := spec.DomainFile(d.Name)
		if docs[p], err = s.document(p, spec.MarshalDomain(d),
			func(b []byte) ([]byte, error) { return spec.SetDomain(b, d) }); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func (s *session) document(p state.Path, fresh []byte, edit func([]byte) ([]byte, error)) ([]byte, error) {
	o, err := s.Sys.Read(p)
	if err != nil || o.Kind == state.Absent {
		return fresh, err
	}
	text, err := edit(o.Content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return text, nil
}

// domainFile is a file that is named after a domain.
type domainFile struct {
	domain string
	state.Object
}

// standsAs reports whether the file has the owner and mode that we give it.
func (f domainFile) standsAs(mode fs.FileMode) bool { return f.Mode == mode && f.Owner == state.Root }

// files reads the files of a directory that are named after domains, sorted by
// name. Several at once: with many domains this is most of what a run does.
func (s *session) files(dir state.Path, extension string) ([]domainFile, error) {
	domains, err := s.domainsIn(dir, extension)
	if err != nil {
		return nil, err
	}
	files := make([]domainFile, len(domains))
	return files, sideBySide(len(files), processors(), func(i int) (err error) {
		files[i].domain = domains[i]
		files[i].Object, err = s.Sys.Read(dir.Join(domains[i] + extension))
		return err
	})
}

// domainsIn are the domains after which files of a directory are named, sorted.
func (s *session) domainsIn(dir state.Path, extension string) ([]string, error) {
	names, err := s.Sys.List(dir)
	var domains []string
	for _, n := range names {
		if domain, ok := strings.CutSuffix(n, extension); ok {
			domains = append(domains, domain)
		}
	}
	slices.Sort(domains)
	return domains, err
}

// lookUps are how many names are asked about at a time: each waits for DNS.
const lookUps = 32

// processors are how many pieces of work there are hands for.
func processors() int { return runtime.GOMAXPROCS(0) }

// memo is a file of ours that no run has to take back.
type memo struct {
	path    state.Path
	content []byte
}

// jot puts memos in place, each at once. Several runs may do so at a time; of one
// that fails no draft stays.
func (s *session) jot(memos ...memo) (err error) {
	var drafts []state.Path
	defer func() {
		if err != nil {
			for _, d := range drafts {
				_ = s.Sys.Remove(d) // what was renamed is not there any more
			}
		}
	}()
	for _, m := range memos {
		draft := m.path + state.Path("."+machine.Random(6)+"~")
		err := s.Sys.Create(draft, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: m.content})
		if err != nil {
			return err
		}
		drafts = append(drafts, draft)
	}
	if err := s.Sys.Sync(drafts...); err != nil {
		return err
	}
	for i, m := range memos {
		if err := s.Sys.Rename(drafts[i], m.path); err != nil {
			return err
		}
	}
	return nil
}
