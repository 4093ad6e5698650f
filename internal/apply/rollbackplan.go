package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Inverse returns the plan that takes back a finished run: every path gets its state
// before the run, in reverse order. It fails if one of them was changed since. Zones
// are an exception: their administrators go on editing them, and those lines stay. The
// plan is applied by Run as a run of its own, which can be taken back in turn. Packages
// stay installed, and units that the run started stay up.
func Inverse(ctx context.Context, e Entry, r system.Reader) (plan.Plan, error) {
	switch e.Status {
	case Done:
	case Open:
		return plan.Plan{}, fmt.Errorf("roll back run %s: %w", e.ID, ErrInterrupted)
	default:
		return plan.Plan{}, fmt.Errorf("roll back run %s: it was taken back already (%s)", e.ID, e.Status)
	}
	if e.stages == nil { // of the history
		whole, err := loadRun(r, e.dir)
		if err != nil || whole == nil {
			return plan.Plan{}, err
		}
		e = *whole
	}
	v := &inverse{
		r: r, entry: e, history: allHistories(&e, r), now: map[state.Path]state.Object{},
		j: &Journal{dir: e.dir.Dir()},
	}
	if err := v.readCurrent(); err != nil {
		return plan.Plan{}, err
	}
	for _, st := range slices.Backward(e.stages) {
		if err := ctx.Err(); err != nil {
			return plan.Plan{}, err
		}
		if err := v.stage(st); err != nil {
			return plan.Plan{}, fmt.Errorf("roll back run %s: %w", e.ID, err)
		}
	}
	if len(v.reloadAgain) > 0 {
		v.plan.Stages[v.reloadAfter].Units = v.reloadAgain
	}
	v.addMailProbes()
	return v.plan, v.directories()
}

// inverse builds the plan of a rollback; now are the objects as the plan so far leaves
// them.
type inverse struct {
	r       system.Reader
	j       *Journal // whose own directories stay
	entry   Entry
	history histories
	now     map[state.Path]state.Object
	plan    plan.Plan

	mailUnits   []state.Unit // units that take mail, with the probes for that alone
	actedOn     []state.Unit // so far, each name once
	reloadAgain []state.Unit // of those: to be reloaded after the stage reloadAfter
	reloadAfter int
}

// readCurrent reads every path and refuses those that are not as the run left them.
func (v *inverse) readCurrent() error {
	var edited []string
	for _, p := range v.entry.Paths {
		cur, err := v.r.Read(p)
		if err != nil {
			return err
		}
		v.now[p] = cur
		ch := v.history[p]
		if ch == nil || p == plan.HashesFile || v.j.liesBelow(p) {
			continue // a program may have made a derived file again since
		}
		last := len(ch.states) - 1
		if (ch.matches(last, cur) || keptSelectors(p, ch.states[last], cur)) && ch.states[last].sameMeta(cur) {
			continue
		}
		if _, err := ch.zoneWithout(last-1, cur); err != nil {
			edited = append(edited, string(p))
		}
	}
	if len(edited) > 0 {
		return fmt.Errorf("roll back run %s: changed since: %s", v.entry.ID, strings.Join(edited, ", "))
	}
	return nil
}

// keptSelectors reports whether a ledger differs from a state only by gone keys that
// the rollback of a later run left in it. Otherwise no run before that one could be
// rolled back.
func keptSelectors(p state.Path, st object, cur state.Object) bool {
	return p.Dir() == keyring.Dir() && st.Kind == state.Regular && cur.Kind == state.Regular &&
		slices.ContainsFunc(keyring.BeforeWithdrawn(cur.Content), func(b []byte) bool { return plan.Hash(b) == st.Hash })
}

func (v *inverse) stage(st *stage) error {
	sc := plan.StageChanges{Name: st.Name}
	for _, d := range slices.Backward(st.Derived) {
		to := d.Before.withoutContent()
		if d.Before.Kind == state.Regular {
			var err error
			if to.Content, err = readBlob(v.r, v.entry.dir, d.Before); err != nil {
				return fmt.Errorf("%s: %w", d.Path, err)
			}
		}
		v.add(&sc, d.Path, to, false)
	}
	for _, c := range slices.Backward(st.Changes) {
		if c.Op == plan.Mkdir || v.j.liesBelow(c.Path) {
			continue
		}
		to, err := v.restored(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Path, err)
		}
		v.add(&sc, c.Path, to, c.Serial)
	}
	for _, u := range slices.Backward(st.Updates) {
		back := u.Inverse()
		back.Why = "as before " + v.entry.ID
		sc.Updates = append(sc.Updates, back)
	}
	atBoot := v.bootUnits(st)
	if sc.Empty() && len(atBoot) == 0 && len(st.Changes) > 0 {
		return nil
	}
	v.units(&sc, st)
	sc.Units = append(sc.Units, atBoot...)
	if sc.Empty() {
		return nil // it only started what did not run
	}
	v.plan.Stages = append(v.plan.Stages, sc)
	v.recordUnits(sc.Units[:len(sc.Units)-len(atBoot)], len(st.Units) == 0)
	return nil
}

// bootUnits returns the units that are enabled or disabled again.
func (v *inverse) bootUnits(st *stage) []state.Unit {
	var all []state.Unit
	for _, u := range slices.Backward(st.Units) {
		if u.Action.AtBoot() {
			all = append(all, state.Unit{Name: u.Name, Action: opposite(u.Action), Always: true, Why: "as before " + v.entry.ID})
		}
	}
	return all
}

// recordUnits keeps track of the units that the plan acts on. A stage without units may
// change files that they read, so units that were acted on before it are reloaded after
// it: the same rule as for an undo.
func (v *inverse) recordUnits(units []state.Unit, feeds bool) {
	if feeds {
		v.reloadAgain, v.reloadAfter = slices.Clone(v.actedOn), len(v.plan.Stages)-1
		for i := range v.reloadAgain {
			u := &v.reloadAgain[i]
			u.Action, u.NeedsDaemonReload = state.Reload, false
			// An earlier stage of the plan restored the unit: an undo of this one waits
			// for what it answers since.
			u.UndoProbes = slices.DeleteFunc(slices.Clone(u.Probes), isUnitProbe)
		}
	}
	for _, u := range units {
		named := func(o state.Unit) bool { return o.Name == u.Name }
		v.reloadAgain = slices.DeleteFunc(v.reloadAgain, named)
		v.actedOn = append(slices.DeleteFunc(v.actedOn, named), u)
	}
}

// isUnitProbe reports whether a probe is about the unit itself, so that it has to pass
// in every undo.
func isUnitProbe(p state.Probe) bool {
	return p.Kind == state.ProbeActive || p.Kind == state.ProbePostfix
}

// restored returns the object that a path gets back.
func (v *inverse) restored(c change) (state.Object, error) {
	if c.Path == plan.HashesFile {
		return v.hashesBefore(c)
	}
	if c.Before.Kind != state.Regular {
		return c.Before.withoutContent(), nil
	}
	ch, cur := v.history[c.Path], v.now[c.Path]
	to, err := ch.contentAt(c.pos, cur)
	if err == nil && !ch.matches(c.pos+1, cur) && ch.serial {
		to.Content, err = ch.zoneWithout(c.pos, cur)
		v.plan.Notes = append(v.plan.Notes, state.Note{
			Topic: "zone", Text: fmt.Sprintf("%s was edited since: those lines stay", c.Path), Informational: true,
		})
	}
	to.Secret = c.Before.Secret
	return to, err
}

// hashesBefore returns the file of hashes with the hashes before the run for its paths,
// and with those of later runs for all others.
func (v *inverse) hashesBefore(c change) (state.Object, error) {
	to := v.now[c.Path]
	rec, err := plan.ParseFileHashes(to.Content)
	if err != nil {
		return to, err
	}
	old := plan.FileHashes{}
	if c.Before.Kind == state.Regular {
		b, err := readBlob(v.r, v.entry.dir, c.Before)
		if err != nil {
			return to, err
		}
		if old, err = plan.ParseFileHashes(b); err != nil {
			return to, err
		}
	}
	for _, p := range v.entry.Paths {
		if h, ok := old[p]; ok {
			rec[p] = h
		} else {
			delete(rec, p)
		}
	}
	if len(rec) == 0 && c.Before.Kind == state.Absent {
		return state.Object{}, nil
	}
	if to.Kind == state.Absent {
		to = c.Before.withoutContent()
	}
	to.Content = rec.Marshal()
	return to, nil
}

func (v *inverse) add(sc *plan.StageChanges, p state.Path, to state.Object, serial bool) {
	cur := v.now[p]
	op := plan.OpOf(cur, to)
	if op == "" {
		return
	}
	why := "as before " + v.entry.ID
	v.now[p] = to
	sc.Changes = append(sc.Changes, plan.Change{Op: op, Path: p, Before: cur, After: to, Why: why, Serial: serial})
}

// units adds the units of a stage, with the action of the run. Of their probes it keeps
// those that passed before the run as well; undo probes become probes and the other way
// round. A signature or a record that the run brought is gone.
func (v *inverse) units(sc *plan.StageChanges, st *stage) {
	for _, un := range slices.Backward(st.Units) {
		if un.Action.AtBoot() || !un.Running && un.Action == state.Stop {
			continue
		}
		if !un.Running {
			v.plan.Notes = append(v.plan.Notes, state.Note{Topic: un.Name, Text: "it did not run before and is left running", Action: "systemctl stop " + un.Name})
			if un.Action != state.Start || !takesMail(un) && un.Name != "exim4.service" {
				continue
			}
			un.Action = state.Reload // it forgets what this run set up
		}
		u := state.Unit{
			Name: un.Name, Action: un.back(), WakeSocket: un.milterSocket(), NeedsDaemonReload: un.NeedsDaemonReload, Starting: un.Starting, Zones: un.Zones, Why: "its files go back",
		}
		for _, p := range un.Probes {
			switch p.Kind {
			case state.ProbeActive, state.ProbePostfix:
				if !un.Starting {
					u.Probes = append(u.Probes, p)
				}
			case state.ProbeMilter, state.ProbeSessions, state.ProbeServed:
				u.UndoProbes = append(u.UndoProbes, p)
			case state.ProbeSMTP:
				v.probeMail(u, p)
			}
		}
		u.Probes = append(u.Probes, un.UndoProbes...)
		sc.Units = append(sc.Units, u)
	}
}

// probeMail adds a unit that has to take mail at the end.
func (v *inverse) probeMail(u state.Unit, p state.Probe) {
	u.Action, u.Probes, u.UndoProbes, u.Why = state.Reload, []state.Probe{p}, nil, "it has to take mail again"
	named := func(o state.Unit) bool { return o.Name == u.Name }
	v.mailUnits = append(slices.DeleteFunc(v.mailUnits, named), u)
}

// addMailProbes probes for mail in the last stage that acts on a milter or on Postfix:
// before that, mail may have to be deferred, where milters move. A unit that is not in
// that stage is reloaded once more.
func (v *inverse) addMailProbes() {
	at := -1
	for i, sc := range v.plan.Stages {
		if slices.ContainsFunc(sc.Units, v.handlesMail) {
			at = i
		}
	}
	for _, m := range v.mailUnits {
		units := v.plan.Stages[at].Units
		i := slices.IndexFunc(units, func(u state.Unit) bool { return u.Name == m.Name })
		if i < 0 {
			v.plan.Stages[at].Units = append(units, m)
			continue
		}
		units[i].Probes = slices.Concat(units[i].Probes, m.Probes)
	}
}

func (v *inverse) handlesMail(u state.Unit) bool {
	isMilter := func(p state.Probe) bool { return p.Kind == state.ProbeMilter }
	return slices.ContainsFunc(slices.Concat(u.Probes, u.UndoProbes), isMilter) ||
		slices.ContainsFunc(v.mailUnits, func(m state.Unit) bool { return m.Name == u.Name })
}

// directories removes the directories that the run made and that are empty, after all
// units have stopped using them.
func (v *inverse) directories() error {
	sc := plan.StageChanges{Name: "Directories"}
	for _, st := range slices.Backward(v.entry.stages) {
		for _, c := range slices.Backward(st.Changes) {
			if c.Op != plan.Mkdir || v.j.liesBelow(c.Path) || v.history[c.Path].wasThere() {
				continue
			}
			left, err := v.remaining(c.Path)
			if err != nil {
				return err
			}
			if len(left) > 0 {
				v.plan.Notes = append(v.plan.Notes, state.Note{
					Topic: string(c.Path), Text: "is left in place, since it holds " + strings.Join(left, ", "),
				})
				continue
			}
			v.add(&sc, c.Path, state.Object{}, false)
		}
	}
	if len(sc.Changes) > 0 {
		v.plan.Stages = append(v.plan.Stages, sc)
	}
	return nil
}

// remaining lists what a directory will still have; dead sockets do not count.
func (v *inverse) remaining(dir state.Path) ([]string, error) {
	names, err := v.r.List(dir)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range names {
		o, known := v.now[dir.Join(name)]
		if !known {
			if o, err = v.r.Read(dir.Join(name)); err != nil {
				return nil, err
			}
		}
		if o.Kind != state.Absent && o.Kind != state.Special {
			left = append(left, name)
		}
	}
	return left, nil
}
