package store

import (
	"errors"
	"reflect"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Given are files of a spec outside of /etc/mailsetup, whose place they are to take.
type Given struct {
	Spec  spec.Spec
	texts map[state.Path][]byte // by the paths that they are to have
}

// LoadGiven reads host.toml and domains.d in a directory. What is wrong with them is said of
// the files there.
func LoadGiven(from Files, dir state.Path) (Given, error) {
	g := Given{texts: map[state.Path][]byte{}}
	there := func(p state.Path) state.Path {
		return dir + state.Path(strings.TrimPrefix(string(p), string(spec.HostFile.Dir())))
	}
	read := func(p state.Path) error {
		o, err := from.Read(there(p))
		switch {
		case err != nil:
			return err
		case o.Kind == state.Absent:
			return hint.NewUsage("put it there: its keys are those of "+string(p), "%s: is missing", there(p))
		case o.Kind != state.Regular:
			return system.Misplaced(there(p), o, state.Regular)
		}
		g.texts[p] = o.Content
		return nil
	}
	if err := read(spec.HostFile); err != nil {
		return g, err
	}
	names, err := domainsIn(from, there(spec.DomainsDir()), ".toml")
	if err != nil {
		return g, err
	}
	texts := make(map[string][]byte, len(names))
	for _, name := range names {
		if err := read(spec.DomainFile(name)); err != nil {
			return g, err
		}
		texts[name] = g.texts[spec.DomainFile(name)]
	}
	g.Spec, err = spec.Parse(g.texts[spec.HostFile], texts)
	if found, wrong := errors.AsType[syntax.Findings](err); wrong {
		said := strings.NewReplacer(string(spec.HostFile), string(there(spec.HostFile)), string(spec.DomainsDir()), string(there(spec.DomainsDir())))
		for i, f := range found {
			found[i] = syntax.Finding{Field: said.Replace(f.Field), Text: said.Replace(f.Text), Hint: said.Replace(f.Hint)}
		}
	}
	return g, err
}

// Files is Store.SpecFiles of a spec that follows from given files. A file of the spec of
// earlier runs (nil for none) that says the same stays as it is, with its comments; other
// files of domains go, and have no text.
func (g Given) Files(there Files, have *spec.Spec, h spec.Host, domains []spec.Domain) (map[state.Path][]byte, error) {
	files := map[state.Path][]byte{}
	text := func(p state.Path, same bool) ([]byte, error) {
		if !same {
			return g.texts[p], nil
		}
		return system.ReadFile(there, p)
	}
	host, err := text(spec.HostFile, have != nil && reflect.DeepEqual(have.Host, h))
	if err == nil {
		files[spec.HostFile], err = spec.SetHost(host, h)
	}
	if err != nil {
		return nil, err
	}
	before := map[string]*spec.Domain{}
	if have != nil {
		for i, d := range have.Domains {
			before[d.Name] = &have.Domains[i]
		}
	}
	for _, d := range domains {
		p, was := spec.DomainFile(d.Name), before[d.Name]
		domain, err := text(p, was != nil && reflect.DeepEqual(*was, d))
		if err == nil {
			files[p], err = spec.SetDomain(domain, d)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, g.addOthers(there, files)
}

// addOthers adds the files of domains that are there and were not given.
func (g Given) addOthers(there Files, files map[state.Path][]byte) error {
	names, err := domainsIn(there, spec.DomainsDir(), ".toml")
	if err != nil {
		return err
	}
	for _, name := range names {
		p := spec.DomainFile(name)
		if _, given := g.texts[p]; given {
			continue
		}
		if o, err := there.Stat(p); err == nil && o.Kind == state.Regular {
			files[p] = nil
		}
	}
	return nil
}
