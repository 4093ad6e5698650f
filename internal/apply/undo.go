package apply

import (
	"context"
	"fmt"
	"slices"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// undo takes a run back, from its journal and the present state of the machine. It does
// only what is still to be done, so it can be interrupted anywhere and run again.
type undo struct {
	s       system.System
	j       *Journal
	o       Options
	entry   *Entry
	history histories

	errs      []error
	commands  []string
	kept      []string
	leftAlone []state.Path

	faults      []unitFault // units that do not answer after the last act
	actedOn     []unit      // so far, each name once
	reloadAgain []unit      // of those: to be reloaded, since files that they may read were restored after them
}

func newUndo(s system.System, j *Journal, e *Entry, o Options) *undo {
	return &undo{s: s, j: j, o: o, entry: e, history: newHistories(e, s)}
}

// run takes the stages back, verifies the result, and closes the journal if the machine
// is as it was.
func (u *undo) run(ctx context.Context) {
	u.j.freeReserve(u.entry.dir)
	// The event says nothing; it ends a line that a crash cut short.
	_ = u.j.append(u.entry.ID, event{Event: evUndo, Time: u.o.Now()})
	for _, st := range slices.Backward(u.entry.stages) {
		u.removeScratch(st)
		switch {
		case st.isKept():
			u.kept = append(u.kept, st.Name)
		case st.committing:
			u.updates(ctx, st)
			u.files(st)
			u.units(ctx, st)
		}
	}
	u.act(ctx, "", asReloads(u.reloadAgain))
	for _, f := range u.faults {
		u.addError(f.err, f.unit.manualCommand())
	}
	u.restoreMail(ctx)
	u.directories()
	u.verify()
	if len(u.errs) > 0 {
		return
	}
	u.addError(u.j.close(u.entry.ID, event{Event: evUndone, Time: u.o.Now()}, Undone))
}

func (u *undo) addError(err error, commands ...string) {
	if err != nil {
		u.errs = append(u.errs, err)
		u.commands = append(u.commands, commands...)
	}
}

// advice returns the commands for the administrator to type.
func (u *undo) advice() []string {
	var list []string
	for _, c := range append(u.commands, "mailsetup recover") {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// removeScratch removes new contents that were not yet in place when the run ended.
func (u *undo) removeScratch(st *stage) {
	for i, c := range st.Changes {
		if c.Staged != "" {
			u.discard(c.Staged)
		}
		u.discard(u.scratchPath(st, i, c.Path))
	}
	for i, d := range st.Derived {
		u.discard(u.scratchPath(st, len(st.Changes)+i, d.Path))
	}
}

func (u *undo) scratchPath(st *stage, n int, p state.Path) state.Path {
	return scratchName(p.Dir(), u.entry.ID, st.Number, n, "-undo")
}

func (u *undo) discard(p state.Path) {
	o, err := u.s.Read(p)
	if err == nil && o.Kind != state.Absent {
		err = u.s.Remove(p)
	}
	u.addError(err, "rm "+shellQuote(p))
}

// step is one operation on one path, with its content prepared beside it.
type step struct {
	path    state.Path
	to      state.Object
	scratch state.Path
	do      func() error
	saved   object
	zone    bool
	dir     bool // restores a directory, before files in it
}

// files restores a stage's files: all contents are written beside their targets, then
// synced once, then put in place in reverse order.
func (u *undo) files(st *stage) {
	var steps []step
	for i, d := range slices.Backward(st.Derived) {
		steps = u.plan(steps, d.Path, func(cur state.Object) (step, error) {
			return u.restoreDerived(d, cur, u.scratchPath(st, len(st.Changes)+i, d.Path))
		}, d.Before, false)
	}
	for i, c := range slices.Backward(st.Changes) {
		if u.j.liesBelow(c.Path) || u.history[c.Path].isKept(c.pos) {
			continue
		}
		steps = u.plan(steps, c.Path, func(cur state.Object) (step, error) {
			return u.revert(c, cur, u.scratchPath(st, i, c.Path))
		}, c.Before, c.Serial)
	}
	did, end := u.o.Bar(st.Name+": files put back", 2*len(steps)) // written, and put in place
	defer end()
	u.carryOut(u.prepare(steps, did), did)
}

// plan decides on one path and adds the step that it needs, if any.
func (u *undo) plan(steps []step, p state.Path, decide func(state.Object) (step, error), saved object, zone bool) []step {
	cur, err := u.s.Read(p)
	var s step
	if err == nil {
		s, err = decide(cur)
	}
	if err != nil {
		u.addError(fmt.Errorf("put back %s: %w", p, err), u.restoreCommand(p, saved, zone)...)
		return steps
	}
	if s.do == nil {
		return steps
	}
	s.path, s.saved, s.zone = p, saved, zone
	return append(steps, s)
}

// prepare writes and syncs the contents that the steps need, directories first.
func (u *undo) prepare(steps []step, did func()) []step {
	var ready []step
	var written []state.Path
	for _, s := range steps {
		did()
		if s.dir {
			u.addError(s.do(), u.restoreCommand(s.path, s.saved, s.zone)...)
			written = append(written, s.path)
			continue
		}
		if s.scratch != "" {
			if err := u.s.Create(s.scratch, s.to); err != nil {
				u.addError(err, u.restoreCommand(s.path, s.saved, s.zone)...)
				continue
			}
			written = append(written, s.scratch)
		}
		ready = append(ready, s)
	}
	if len(written) > 0 {
		u.addError(u.s.Sync(written...))
	}
	return ready
}

func (u *undo) carryOut(steps []step, did func()) {
	var touched []state.Path
	for _, s := range steps {
		did()
		if err := s.do(); err != nil {
			u.addError(err, u.restoreCommand(s.path, s.saved, s.zone)...)
		}
		touched = append(touched, s.path)
	}
	if len(touched) > 0 {
		u.addError(u.s.Sync(touched...))
	}
}

// revert decides how one change is taken back. The path must have a state that the run
// found or left; anything else is somebody's work and stays.
func (u *undo) revert(c change, cur state.Object, scratch state.Path) (step, error) {
	at, err := u.history[c.Path].current(cur)
	if err != nil {
		return step{}, err
	}
	switch {
	case at < c.pos, c.Before.Kind == state.Absent && cur.Kind == state.Absent:
		return step{}, nil // it has an earlier state already
	case c.Op == plan.Mkdir:
		return step{}, nil // when everything else is done
	case at == c.pos && c.Before.sameMeta(cur), c.Before.Kind == state.Absent && at == c.pos:
		return step{}, nil
	case at == c.pos:
		return step{do: func() error { return u.s.SetMeta(c.Path, c.Before.withoutContent()) }}, nil
	case c.Before.Kind == state.Absent:
		return step{do: func() error { return u.s.Remove(c.Path) }}, nil
	case c.Before.Kind == state.Directory && cur.Kind == state.Absent:
		return step{dir: true, do: func() error { return u.s.Mkdir(c.Path, c.Before.withoutContent()) }}, nil
	case c.Before.Kind == state.Directory, c.Op == plan.Meta:
		return step{do: func() error { return u.s.SetMeta(c.Path, c.Before.withoutContent()) }}, nil
	}
	to, err := u.history[c.Path].contentAt(c.pos, cur)
	if err != nil {
		return step{}, err
	}
	return u.replace(c.Path, to, scratch), nil
}

// restoreDerived restores a derived file. Its program may have been cut short, so its
// present content does not matter.
func (u *undo) restoreDerived(d derived, cur state.Object, scratch state.Path) (step, error) {
	switch {
	case d.Before.sameContent(cur) && d.Before.sameMeta(cur):
		return step{}, nil
	case d.Before.Kind == state.Absent:
		return step{do: func() error { return u.s.Remove(d.Path) }}, nil
	case d.Before.Kind != state.Regular:
		return step{}, fmt.Errorf("was a %s", d.Before.Kind)
	}
	to := d.Before.withoutContent()
	var err error
	if to.Content, err = readBlob(u.s, u.entry.dir, d.Before); err != nil {
		return step{}, err
	}
	return u.replace(d.Path, to, scratch), nil
}

func (u *undo) replace(p state.Path, to state.Object, scratch state.Path) step {
	return step{to: to, scratch: scratch, do: func() error { return u.s.Rename(scratch, p) }}
}

// restoreMail makes units take mail again that took it before: for a minute, Postfix
// does not start a service again that died of the bad configuration, and a reload does
// not change that.
func (u *undo) restoreMail(ctx context.Context) {
	for _, un := range u.actedOn {
		if !un.TookMail || probeMail(ctx, u.s, un) == nil {
			continue
		}
		err := u.s.Act(ctx, un.Name, state.Restart, un.WakeSocket)
		if err == nil {
			err = probeMail(ctx, u.s, un)
		}
		u.addError(err, "systemctl restart "+un.Name)
	}
}

// directories removes the directories that the run made, once the daemons have stopped
// using them.
func (u *undo) directories() {
	var touched []state.Path
	for _, st := range slices.Backward(u.entry.stages) {
		for _, c := range slices.Backward(st.Changes) {
			if c.Op != plan.Mkdir || u.j.liesBelow(c.Path) || !st.committing || u.history[c.Path].isKept(c.pos) || u.history[c.Path].wasThere() {
				continue
			}
			gone, err := u.rmdir(c.Path)
			u.addError(err, "rmdir "+shellQuote(c.Path))
			if gone {
				touched = append(touched, c.Path)
			}
		}
	}
	if len(touched) > 0 {
		u.addError(u.s.Sync(touched...))
	}
}

func (u *undo) rmdir(p state.Path) (gone bool, err error) {
	o, err := u.s.Read(p)
	if err != nil || o.Kind == state.Absent {
		return false, err
	}
	if o.Kind != state.Directory {
		return false, fmt.Errorf("remove %s: somebody made it a %s", p, o.Kind)
	}
	left, err := removeSockets(u.s, p)
	if err != nil {
		return false, err
	}
	if len(left) > 0 {
		u.leftAlone = append(u.leftAlone, p)
		return false, nil
	}
	return true, u.s.Remove(p)
}
