// Package origin keeps for ever how the files of a host were before mailsetup first
// changed them. The journal keeps the last runs only.
package origin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/steps/dns"
	"mailsetup/steps/signer"
)

// File is a path that runs changed, outside of zones, keys and mailsetup's own
// directories.
type File struct {
	Path   state.Path   `json:"path"`
	Before state.Object `json:"before"` // absent: mailsetup made it
	// Hash, if any, is that of the content before, which is in a file named after it.
	Hash string `json:"hash,omitempty"`
	// Written are the latest contents of it that runs found or wrote, as Mark has them.
	Written []string `json:"written"`
	// Edited: somebody edited it between two runs, so Before lacks what they wrote.
	Edited  bool            `json:"edited,omitempty"`
	Units   []state.Unit    `json:"units,omitempty"`   // that read it
	Derived []state.Derived `json:"derived,omitempty"` // that are made from it
}

// maxWritten bounds how many contents of a path are remembered. A run that is undone
// leaves one of the last two.
const maxWritten = 16

// Mark tells contents of a path apart: a hash, or what else stands there.
func Mark(o state.Object) string {
	if o.Kind == state.Regular {
		return plan.HashOf(o)
	}
	return string(o.Kind)
}

// Same reports whether two objects are the same to whoever reads them.
func Same(a, b state.Object) bool {
	return Mark(a) == Mark(b) && (a.Kind == state.Absent || a.Mode == b.Mode && a.Owner == b.Owner)
}

// maxInline is the length up to which a content is in the file that runs write again: that
// of a configuration with ten thousand zones is 2 MB.
const maxInline = 8 << 10

// mark is the Mark of how the path was before.
func (f *File) mark() string {
	if f.Hash != "" {
		return f.Hash
	}
	return Mark(f.Before)
}

// wasAs reports whether the path was before as an object is.
func (f *File) wasAs(o state.Object) bool {
	return f.mark() == Mark(o) && Same(state.Object{Kind: f.Before.Kind, Mode: f.Before.Mode, Owner: f.Before.Owner}, state.Object{Kind: o.Kind, Mode: o.Mode, Owner: o.Owner})
}

// setAside takes a long content out, and returns it.
func (f *File) setAside() []byte {
	content := f.Before.Content
	if f.Hash != "" || f.Before.Kind != state.Regular || len(content) <= maxInline {
		return nil
	}
	f.Hash, f.Before.Content = plan.Hash(content), nil
	return content
}

// files are all that are known, by path.
type files map[state.Path]*File

// add adds what a plan is about to change, before it does.
func (fs files) add(p plan.Plan) (changed []*File) {
	seen := map[state.Path]bool{}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			if !concerns(c) {
				continue
			}
			if !seen[c.Path] {
				seen[c.Path] = true
				fs.found(c)
				changed = append(changed, fs[c.Path])
			}
			f := fs[c.Path]
			f.wrote(Mark(c.Before))
			f.wrote(Mark(c.After))
			f.readBy(st)
		}
	}
	return changed
}

// found takes note of how a plan finds a path.
func (fs files) found(c plan.Change) {
	f := fs[c.Path]
	switch {
	case f == nil:
		fs[c.Path] = &File{Path: c.Path, Before: c.Before}
	case f.wasAs(c.Before):
		fs[c.Path] = &File{Path: c.Path, Before: f.Before, Hash: f.Hash}
	case f.givenBack() && !slices.Contains(f.Written, Mark(c.Before)):
		fs[c.Path] = &File{Path: c.Path, Before: c.Before}
	case f.Before.Kind == state.Regular && !slices.Contains(f.Written, Mark(c.Before)):
		f.Edited = true
	}
}

// givenBack reports whether the last run that changed the file put it back.
func (f *File) givenBack() bool {
	return len(f.Written) > 0 && f.Written[len(f.Written)-1] == f.mark()
}

// wrote makes a content the latest of those that are remembered.
func (f *File) wrote(mark string) {
	list := append(slices.DeleteFunc(slices.Clone(f.Written), func(m string) bool { return m == mark }), mark)
	f.Written = list[max(0, len(list)-maxWritten):]
}

// readBy adds the units of a stage that changes the file, and what is made from it.
func (f *File) readBy(st plan.StageChanges) {
	for _, u := range st.Units {
		i := slices.IndexFunc(f.Units, func(o state.Unit) bool { return o.Name == u.Name })
		switch u.Zones = nil; {
		case u.Action.AtBoot() || u.Action == state.Stop:
		case i < 0:
			f.Units = append(f.Units, u)
		default:
			f.Units[i] = u
		}
	}
	for _, d := range st.Derived {
		if d.From == f.Path && !slices.ContainsFunc(f.Derived, func(o state.Derived) bool { return o.Path == d.Path }) {
			f.Derived = append(f.Derived, d)
		}
	}
}

// concerns reports whether a change is remembered. Zones go forward, keys and mailsetup's
// own files are known by the ledger and by their places.
func concerns(c plan.Change) bool {
	if c.Path == spec.HostFile { // without it, nothing is known of the time before the first run
		return true
	}
	for _, dir := range []state.Path{
		state.OwnDir, spec.DomainsDir(), signer.KeyDir, signer.EximKeyDir, dns.FragmentDir.Dir(), "/var/lib/bind", "/var/cache/bind",
	} {
		if c.Path == dir || strings.HasPrefix(string(c.Path), string(dir)+"/") {
			return false
		}
	}
	return !c.Serial && !c.Before.Secret && !c.After.Secret && c.Op != plan.Later
}

// Remember writes down how the files are that a plan is about to change for the first
// time. Where an earlier build changed this host, the journal tells what it changed, and
// known is false as long as it does not.
func Remember(ctx context.Context, on store.Files, journal *apply.Journal, p plan.Plan) (known bool, err error) {
	all, err := load(ctx, on, journal)
	if err != nil {
		return false, ctx.Err() // whoever uninstalls is told
	}
	there := map[string]bool{}
	names, err := on.List(state.OriginDir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		there[name] = true
	}
	changed := all.add(p)
	for path, f := range all {
		if !there[nameOf(path)] && !slices.Contains(changed, f) {
			changed = append(changed, f)
		}
	}
	texts, contents := map[state.Path][]byte{}, map[state.Path][]byte{}
	for _, f := range changed {
		if content := f.setAside(); content != nil {
			contents[state.OriginDir.Join(f.Hash)] = content
		}
		text, err := json.Marshal(f)
		if err != nil {
			return false, err
		}
		texts[state.OriginDir.Join(nameOf(f.Path))] = text
	}
	for _, files := range []map[state.Path][]byte{contents, texts} { // nothing names a content that is not there
		if err := store.SaveOrigins(on, files); err != nil {
			return true, err
		}
	}
	used := map[string]bool{}
	for path, f := range all {
		used[nameOf(path)], used[f.Hash] = true, true
	}
	for name := range there { // contents of a time that is over
		if !used[name] {
			_ = on.Remove(state.OriginDir.Join(name))
		}
	}
	return true, nil
}

// Load returns all files, from what was remembered or, where nothing was, from the
// journal. It is an error if neither knows how this host was before the first run.
func Load(ctx context.Context, on store.Files, journal *apply.Journal) (map[state.Path]*File, error) {
	all, err := load(ctx, on, journal)
	for _, f := range all {
		if f.Hash == "" || err != nil {
			continue
		}
		var o state.Object
		if o, err = on.Read(state.OriginDir.Join(f.Hash)); err == nil && plan.Hash(o.Content) != f.Hash {
			err = fmt.Errorf("%s is damaged", state.OriginDir.Join(f.Hash))
		}
		f.Before.Content = o.Content
	}
	return all, err
}

// load returns all files; where a content is in a file of its own, without it.
func load(ctx context.Context, on store.Files, journal *apply.Journal) (files, error) {
	all := files{}
	names, err := on.List(state.OriginDir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		o, err := on.Read(state.OriginDir.Join(name))
		if err != nil {
			return nil, err
		}
		var f File
		if err := json.Unmarshal(o.Content, &f); err != nil || nameOf(f.Path) != name {
			return nil, fmt.Errorf("%s is damaged", state.OriginDir.Join(name))
		}
		all[f.Path] = &f
	}
	if len(all) > 0 {
		return all, nil
	}
	return fromJournal(ctx, on, journal)
}

// fromJournal returns what all runs that the journal has changed, by what it would take to
// take them back.
func fromJournal(ctx context.Context, on store.Files, journal *apply.Journal) (files, error) {
	entries, err := journal.History()
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e apply.Entry) bool { return e.Status != apply.Done })
	back, err := apply.InverseAll(ctx, entries, on)
	if err != nil {
		return nil, err
	}
	all := files{}
	for _, st := range back.Stages { // the last run comes first
		for _, c := range st.Changes {
			if !concerns(c) {
				continue
			}
			f := all[c.Path]
			if f == nil {
				f = &File{Path: c.Path}
				all[c.Path] = f
			}
			f.Before, f.Written = c.After, append(f.Written, Mark(c.Before))
			f.readBy(st)
		}
	}
	host, err := on.Read(spec.HostFile)
	if err != nil {
		return nil, err
	}
	if f := all[spec.HostFile]; host.Kind != state.Absent && (f == nil || f.Before.Kind != state.Absent) {
		return nil, fmt.Errorf("the journal no longer has the first run of mailsetup")
	}
	return all, nil
}

func nameOf(path state.Path) string { return url.PathEscape(string(path)) + ".json" }
