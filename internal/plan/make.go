package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"mailsetup/internal/safepath"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Make compares the desired state with the machine and returns what has to be done, or
// all errors at once. It cannot write: it gets a reader only.
func Make(ctx context.Context, want state.State, r system.Reader, rec FileHashes) (Plan, error) {
	m := newMaker(ctx, r, rec)
	p := Plan{Notes: byTopic(want.Notes)}
	home := m.ownDirStage()
	for _, st := range want.Stages {
		if sc := m.stage(st); !sc.Empty() {
			p.Stages = append(p.Stages, sc)
		}
	}
	p.Stages = dropDuplicateUnits(p.Stages)
	if sc := m.hashesStage(); !sc.Empty() {
		p.Stages = append(p.Stages, sc)
	}
	if len(p.Stages) > 0 && !home.Empty() {
		p.Stages = append([]StageChanges{home}, p.Stages...)
	}
	if len(p.Stages) > 0 { // who changes nothing needs no consent
		p.Questions = want.Questions
	}
	p.Drift = m.drift
	for _, at := range p.Paths() {
		if err := safepath.CheckChangeable(r, string(at)); err != nil {
			m.errs = append(m.errs, err)
			break
		}
	}
	return p, errors.Join(m.errs...)
}

// maker keeps what earlier stages of the plan will have done.
type maker struct {
	ctx      context.Context
	overlay  Overlay
	hashes   FileHashes          // as found
	next     FileHashes          // as it will be
	rewrites map[state.Path]bool // paths whose content changes in this plan
	index    map[state.Path]int  // of the current stage's changes
	pending  bool                // packages of this plan may still bring files
	drift    []Drift
	errs     []error
}

func newMaker(ctx context.Context, r system.Reader, rec FileHashes) *maker {
	m := &maker{
		ctx: ctx, hashes: rec, next: maps.Clone(rec), rewrites: map[state.Path]bool{},
		overlay: Overlay{Reader: r, Planned: map[state.Path]state.Object{}},
	}
	if m.next == nil {
		m.next = FileHashes{}
	}
	return m
}

// ownDirStage makes our own directory, before anything in it. The directories above it
// are missing in an image only.
func (m *maker) ownDirStage() StageChanges {
	o, err := m.overlay.Read(OwnDir)
	if err != nil || o.Kind != state.Absent {
		return StageChanges{} // an error shows again at the record
	}
	dirs := []state.Dir{{Path: OwnDir, Mode: 0o700, Owner: state.Root, Why: "what mailsetup remembers"}}
	for dir := OwnDir.Dir(); dir != "/"; dir = dir.Dir() {
		if o, err := m.overlay.Read(dir); err == nil && o.Kind == state.Absent {
			dirs = append(dirs, state.Dir{Path: dir, Mode: 0o755, Owner: state.Root, Why: "not there yet"})
		}
	}
	slices.Reverse(dirs)
	return m.stage(state.Stage{Name: "State", Dirs: dirs})
}

func (m *maker) hashesStage() StageChanges {
	if len(m.next) == 0 && len(m.hashes) == 0 {
		return StageChanges{}
	}
	// Those of ten thousand zones are three megabytes.
	if o, err := m.overlay.Stat(HashesFile); err == nil && o.Kind == state.Regular && o.Mode == 0o600 && o.Owner == state.Root && maps.Equal(m.next, m.hashes) {
		return StageChanges{}
	}
	return m.stage(state.Stage{Name: "Checksums", Files: []state.File{{
		Path: HashesFile, Mode: 0o600, Owner: state.Root, AdminOwned: true,
		Content: m.next.Marshal(), Why: "remembers what mailsetup wrote, to notice edits by hand",
	}}})
}

// stage returns the changes that a stage needs.
func (m *maker) stage(st state.Stage) StageChanges {
	sc := StageChanges{Name: st.Name, Packages: st.Packages, Checkpoint: st.Checkpoint}
	m.pending = m.pending || len(st.Packages) > 0
	m.index = map[state.Path]int{}
	for _, d := range st.Dirs {
		m.note(m.dir(&sc, d))
	}
	for _, f := range st.Files {
		m.note(m.file(&sc, f))
	}
	for _, f := range st.Metas {
		m.note(m.meta(&sc, f))
	}
	for _, e := range st.Edits {
		m.note(m.edit(&sc, e))
	}
	for _, p := range st.Remove {
		m.note(m.remove(&sc, p, false))
	}
	for _, p := range st.Discard {
		m.note(m.remove(&sc, p, true))
	}
	sc.Changes = effective(sc.Changes)
	for _, d := range st.Derived {
		m.note(m.derived(&sc, d))
	}
	if !sc.Empty() {
		sc.Units, sc.Validators, sc.Probes = st.Units, st.Validators, st.Probes
		if st.Only != nil {
			changed := map[state.Path]bool{}
			for _, c := range sc.Changes {
				changed[c.Path] = true
			}
			sc.Units, sc.Validators = st.Only(func(p state.Path) bool { return changed[p] })
		}
	} else {
		sc.Units = slices.DeleteFunc(slices.Clone(st.Units), func(u state.Unit) bool { return !u.Always })
	}
	for _, u := range st.Updates { // which concern no unit of this machine
		if !u.Empty() {
			sc.Updates = append(sc.Updates, u)
		}
	}
	return sc
}

// dropDuplicateUnits drops units that are Always acted on if another stage acts on them
// anyway.
func dropDuplicateUnits(stages []StageChanges) []StageChanges {
	for i := range stages {
		stages[i].Units = slices.DeleteFunc(stages[i].Units, func(u state.Unit) bool {
			return u.Always && !u.Action.AtBoot() && slices.ContainsFunc(stages, func(s StageChanges) bool {
				return slices.ContainsFunc(s.Units, func(o state.Unit) bool { return o.Name == u.Name && !o.Always && !o.Action.AtBoot() })
			})
		})
	}
	return slices.DeleteFunc(stages, StageChanges.Empty)
}

// note adds an error, once: two edits of one file may fail at the same line.
func (m *maker) note(err error) {
	if err != nil && !slices.ContainsFunc(m.errs, func(e error) bool { return e.Error() == err.Error() }) {
		m.errs = append(m.errs, err)
	}
}

func (m *maker) dir(sc *StageChanges, d state.Dir) error {
	cur, err := m.overlay.Read(d.Path)
	if err != nil {
		return err
	}
	if cur.Kind != state.Absent && cur.Kind != state.Directory {
		return system.Misplaced(d.Path, cur, state.Directory)
	}
	want := state.Object{Kind: state.Directory, Mode: d.Mode, Owner: d.Owner}
	return m.add(sc, Change{Path: d.Path, Before: cur, After: want, Why: d.Why})
}

func (m *maker) file(sc *StageChanges, f state.File) error {
	cur, planned := m.overlay.Planned[f.Path]
	if !planned || f.Make == nil {
		var err error
		if cur, err = m.overlay.Read(f.Path); err != nil {
			return err
		}
	}
	if cur.Kind != state.Absent && cur.Kind != state.Regular {
		return system.Misplaced(f.Path, cur, state.Regular)
	}
	if f.Secret && cur.Kind != state.Absent {
		return fmt.Errorf("create %s: a private key stands there already and is never overwritten", f.Path)
	}
	want := state.Object{
		Kind: state.Regular, Mode: f.Mode, Owner: f.Owner, Content: f.Text(), Secret: f.Secret,
	}
	if !f.Secret && !f.AdminOwned {
		m.drifted(f.Path, cur, want)
		m.next[f.Path] = Hash(want.Content)
	}
	if f.Make != nil && !secret(cur) && !secret(want) {
		cur, want = m.again(f, cur, want)
	}
	return m.add(sc, Change{Path: f.Path, Before: cur, After: want, Why: f.Why})
}

// again returns a file as it is and as it will be without its contents, which are read from
// the machine and made when they are needed.
func (m *maker) again(f state.File, cur, want state.Object) (before, after state.Object) {
	if cur.Text == nil && cur.Kind == state.Regular {
		from := m.overlay.Reader
		cur = cur.Without(func() ([]byte, error) { return system.ReadFile(from, f.Path) })
	}
	return cur, want.Without(func() ([]byte, error) { return f.Make(), nil })
}

// meta plans another owner or mode of a file. Its content counts as secret: there is a
// reason to keep others from reading it.
func (m *maker) meta(sc *StageChanges, f state.Meta) error {
	cur, err := m.overlay.Read(f.Path)
	if err != nil {
		return err
	}
	if cur.Kind != state.Regular {
		return system.Misplaced(f.Path, cur, state.Regular)
	}
	cur.Secret = true
	want := cur
	want.Mode, want.Owner = f.Mode, f.Owner
	return m.add(sc, Change{Path: f.Path, Before: cur, After: want, Why: f.Why})
}

// remove plans the removal of a file; with free, whatever its content, and also of a
// directory that is empty then.
func (m *maker) remove(sc *StageChanges, p state.Path, free bool) error {
	delete(m.next, p)
	cur, err := m.overlay.Read(p)
	if err != nil || cur.Kind == state.Absent {
		return err
	}
	if free && cur.Kind == state.Directory {
		if left, err := m.holds(p); left || err != nil {
			return err
		}
		return m.add(sc, Change{Path: p, Before: cur, Why: "empty then"})
	}
	if cur.Kind != state.Regular {
		return system.Misplaced(p, cur, state.Regular)
	}
	if !free && !secret(cur) {
		m.drifted(p, cur, state.Object{})
	}
	return m.add(sc, Change{Path: p, Before: cur, Why: "no longer wanted"})
}

// holds reports whether a directory will not be empty. Sockets do not count: who listened
// there has stopped by then, and may have left one.
func (m *maker) holds(dir state.Path) (bool, error) {
	names, err := m.overlay.List(dir)
	for _, name := range names {
		if o, err := m.overlay.Read(dir.Join(name)); err != nil || o.Kind != state.Special {
			return true, err
		}
	}
	return err != nil, err
}

// derived adds a file that a program has to make again.
func (m *maker) derived(sc *StageChanges, d state.Derived) error {
	due := m.rewrites[d.From] || d.Always
	if !due {
		made, err := m.overlay.Read(d.Path)
		if err != nil {
			return err
		}
		from, err := m.overlay.Read(d.From)
		if err != nil {
			return err
		}
		due = made.Kind == state.Absent && from.Kind == state.Regular
	}
	if due {
		sc.Derived = append(sc.Derived, d)
	}
	return nil
}
