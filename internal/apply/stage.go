package apply

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// stage takes one stage from validation until it has settled.
func (r *run) stage(ctx context.Context, sc plan.StageChanges) error {
	if err := r.checkUnchanged(sc); err != nil {
		return err
	}
	if err := r.validate(ctx, sc); err != nil {
		return err
	}
	st, contents, err := r.recordIntent(ctx, sc)
	if err != nil {
		return err
	}
	r.entry.stages = append(r.entry.stages, st)
	if err := r.j.append(r.entry.ID, event{Event: evIntent, Intent: st}); err != nil {
		return err
	}
	if err := r.prepare(ctx, sc, st, contents); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	st.committing = true
	if err := r.j.append(r.entry.ID, event{Event: evCommit, Stage: st.Number}); err != nil {
		return err
	}
	if err := r.commit(ctx, st); err != nil {
		return err
	}
	if err := r.derive(ctx, sc); err != nil {
		return err
	}
	if err := r.update(ctx, st); err != nil {
		return err
	}
	if err := r.act(ctx, sc, st); err != nil {
		return err
	}
	if err := r.j.append(r.entry.ID, event{Event: evStage, Stage: st.Number}); err != nil {
		return err
	}
	st.settled = true
	return nil
}

// checkUnchanged compares the stage's paths again right before it: earlier units took
// their time, and a private key that appeared meanwhile is never overwritten.
func (r *run) checkUnchanged(sc plan.StageChanges) error {
	var stale []state.Path
	for _, c := range sc.Changes {
		cur, err := r.s.Read(c.Path)
		if err != nil {
			return err
		}
		if !same(cur, c.Before) && !r.isOwnDirectory(c, cur) {
			stale = append(stale, c.Path)
		}
	}
	if len(stale) > 0 {
		return &StalePlanError{Paths: stale}
	}
	return nil
}

// validate runs the daemons' own checkers over the stage's new files, together with the
// unchanged ones that they need.
func (r *run) validate(ctx context.Context, sc plan.StageChanges) error {
	if len(sc.Validators) == 0 {
		return nil
	}
	files, err := sc.Files(r.s)
	if err != nil {
		return err
	}
	return r.s.Check(ctx, sc.Validators, files)
}

// contents are saved before the stage, by blob name.
type contents map[string]state.Object

// recordIntent writes down what the stage will do, and the state before it.
func (r *run) recordIntent(ctx context.Context, sc plan.StageChanges) (*stage, contents, error) {
	st := &stage{Number: len(r.entry.stages) + 1, Name: sc.Name, Checkpoint: sc.Checkpoint, Updates: sc.Updates}
	saved := contents{}
	made := map[state.Path]bool{}
	for _, c := range sc.Changes {
		made[c.Path] = made[c.Path] || c.Op == plan.Mkdir
	}
	for i, c := range sc.Changes {
		rec := change{
			Op: c.Op, Path: c.Path, Serial: c.Serial,
			Before: r.save(saved, c.Before, true), After: r.save(saved, c.After, c.Serial),
		}
		if c.Op == plan.Create || c.Op == plan.Modify {
			rec.Staged = scratchName(existingParent(c.Path.Dir(), made), r.entry.ID, st.Number, i, "")
		}
		st.Changes = append(st.Changes, rec)
	}
	for _, d := range sc.Derived {
		o, err := r.s.Read(d.Path)
		if err != nil {
			return nil, nil, err
		}
		st.Derived = append(st.Derived, derived{Path: d.Path, Argv: d.Argv, Before: r.save(saved, o, true)})
	}
	for _, u := range sc.Units {
		rec, err := r.unitBefore(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		st.Units = append(st.Units, rec)
	}
	return st, saved, nil
}

// save records an object, and its content if keep is set.
func (r *run) save(saved contents, o state.Object, keep bool) object {
	rec := summarise(o)
	if keep && o.Kind == state.Regular {
		r.blobs++
		rec.Blob = fmt.Sprintf("%03d", r.blobs)
		saved[rec.Blob] = state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: o.Content, Text: o.Text, Secret: true}
	}
	return rec
}

// existingParent returns the nearest directory above that exists before the commit.
func existingParent(dir state.Path, made map[state.Path]bool) state.Path {
	for made[dir] {
		dir = dir.Dir()
	}
	return dir
}

// scratchName returns the name under which new content is written beside its target. It
// depends on the run alone, is hidden, and ends in a tilde, which readers of conf.d
// directories skip.
func scratchName(dir state.Path, id string, stage, n int, tail string) state.Path {
	return dir.Join(fmt.Sprintf(".mailsetup-%s-%d-%d%s~", id, stage, n, tail))
}

// prepare saves the contents that will be replaced and writes the new ones beside their
// targets. After its sync, undo is guaranteed.
func (r *run) prepare(ctx context.Context, sc plan.StageChanges, st *stage, saved contents) error {
	var written []state.Path
	step, end := r.o.Bar(sc.Name+": files written", len(saved)+len(st.Changes))
	defer end()
	put := func(p state.Path, o state.Object) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := o.Held()
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		written = append(written, p)
		return r.s.Create(p, o)
	}
	for _, name := range blobNames(st) {
		step()
		if err := put(r.entry.dir.Join(name), saved[name]); err != nil {
			return err
		}
	}
	for i, c := range st.Changes {
		if step(); c.Staged != "" {
			if err := put(c.Staged, sc.Changes[i].After); err != nil {
				return err
			}
		}
	}
	if len(written) == 0 {
		return nil
	}
	return r.s.Sync(written...)
}

func blobNames(st *stage) []string {
	var names []string
	add := func(o object) {
		if o.Blob != "" {
			names = append(names, o.Blob)
		}
	}
	for _, c := range st.Changes {
		add(c.Before)
		add(c.After)
	}
	for _, d := range st.Derived {
		add(d.Before)
	}
	return names
}

// commit makes the changes, each in one atomic step.
func (r *run) commit(ctx context.Context, st *stage) error {
	var touched []state.Path
	step, end := r.o.Bar(st.Name+": files put in place", len(st.Changes))
	defer end()
	for _, c := range st.Changes {
		step()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.change(c); err != nil {
			return err
		}
		r.report.count(c)
		touched = append(touched, c.Path)
	}
	if len(touched) == 0 {
		return nil
	}
	return r.s.Sync(touched...)
}

func (r *run) change(c change) error {
	after := state.Object{Kind: c.After.Kind, Mode: c.After.Mode, Owner: c.After.Owner}
	switch c.Op {
	case plan.Create, plan.Modify:
		return r.s.Rename(c.Staged, c.Path)
	case plan.Meta:
		return r.s.SetMeta(c.Path, after)
	case plan.Remove:
		if c.Before.Kind == state.Directory {
			if _, err := removeSockets(r.s, c.Path); err != nil {
				return err
			}
		}
		return r.s.Remove(c.Path)
	case plan.Mkdir:
		if r.j.liesBelow(c.Path) {
			if o, err := r.s.Read(c.Path); err != nil || o.Kind == state.Directory {
				return err
			}
		}
		return r.s.Mkdir(c.Path, after)
	}
	return fmt.Errorf("%s %s: not an operation", c.Op, c.Path)
}

// removeSockets removes dead sockets from a directory that is about to be removed, and
// returns what else is in it.
func removeSockets(s system.System, dir state.Path) ([]string, error) {
	names, err := s.List(dir)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range names {
		o, err := s.Read(dir.Join(name))
		if err != nil {
			return nil, err
		}
		if o.Kind != state.Special {
			left = append(left, name)
			continue
		}
		if err := s.Remove(dir.Join(name)); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// derive runs the programs that make files from the committed ones.
func (r *run) derive(ctx context.Context, sc plan.StageChanges) error {
	for _, d := range sc.Derived {
		res, err := r.s.Run(ctx, system.Command{Argv: d.Argv, Within: system.LongWithin})
		if err != nil {
			return fmt.Errorf("make %s: %w", d.Path, err)
		}
		if res.Code != 0 {
			said := strings.TrimSpace(string(bytes.Join([][]byte{res.Stderr, res.Stdout}, []byte("\n"))))
			return fmt.Errorf("make %s: %s: exit status %d: %s", d.Path, d.Argv[0], res.Code, said)
		}
		r.report.Derived++
	}
	return nil
}
