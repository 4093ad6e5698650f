package plan

import (
	"errors"
	"fmt"

	"mailsetup/internal/edits"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// edit plans an edit of somebody else's file.
func (m *maker) edit(sc *StageChanges, e state.Edit) error {
	p := e.Target()
	cur, err := m.overlay.Read(p)
	if err != nil {
		return err
	}
	if cur.Kind != state.Absent && cur.Kind != state.Regular {
		return system.Misplaced(p, cur, state.Regular)
	}
	if cur.Kind == state.Absent && !m.canCreate(e) {
		if !m.pending {
			return fmt.Errorf("edit %s: no such file", p)
		}
		m.planLater(sc, e)
		return nil
	}
	out, err := m.overlay.Evaluate(m.ctx, e, cur)
	edited := (*edits.EditedError)(nil)
	if block, ok := e.(state.BlockEdit); ok && errors.As(err, &edited) {
		block.Overwrite = true
		out, err = m.overlay.Evaluate(m.ctx, block, cur)
	}
	if err != nil {
		if m.pending && needsTool(e) {
			m.planLater(sc, e)
			return nil
		}
		return err // it names the file
	}
	want := cur
	if cur.Kind == state.Absent {
		want = state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root}
	}
	want.Content = out
	if edited != nil {
		m.drift = append(m.drift, Drift{Path: p, Why: edited.Why(), Diff: Diff(p, cur, want)})
	}
	_, zone := e.(state.ZoneEdit)
	return m.add(sc, Change{
		Path: p, Before: cur, After: want, Why: e.Why(), Settings: e.Settings(), Serial: zone,
	})
}

// canCreate reports whether the edit creates a missing file.
func (m *maker) canCreate(e state.Edit) bool {
	switch e := e.(type) {
	case state.PostfixEdit, state.MasterEdit, state.UnitEdit, state.RestrictionEdit, state.EximEdit, state.EximHandEdit:
		return false // an empty main.cf is no configuration of Postfix
	case state.BlockEdit:
		if !e.Create {
			return false
		}
	case state.ZoneEdit:
		if e.New == nil {
			return false
		}
	}
	return !m.pending || m.parent(e.Target()) == nil
}

// needsTool reports whether evaluating needs a program of a package that the plan
// installs, although the file exists (left by a removed package).
func needsTool(e state.Edit) bool {
	switch e.(type) {
	case state.PostfixEdit, state.MasterEdit, state.RestrictionEdit:
		return true
	}
	return false
}

// planLater plans an edit of which only the settings are known.
func (m *maker) planLater(sc *StageChanges, e state.Edit) {
	p := e.Target()
	m.rewrites[p] = true
	if i, ok := m.index[p]; ok {
		c := &sc.Changes[i]
		c.Op, c.Settings, c.Why = Later, append(c.Settings, e.Settings()...), join(c.Why, e.Why())
		return
	}
	_, zone := e.(state.ZoneEdit)
	m.index[p] = len(sc.Changes)
	sc.Changes = append(sc.Changes, Change{
		Op: Later, Path: p, Why: e.Why(), Settings: e.Settings(), Serial: zone,
	})
}

// add adds a change, joined with an earlier one of the same path in the same stage.
func (m *maker) add(sc *StageChanges, c Change) error {
	c.Op = OpOf(c.Before, c.After)
	if c.Op == none && c.Before.Kind != state.Directory {
		sc.Unchanged = append(sc.Unchanged, c.Path)
	}
	if c.Op == none {
		return nil
	}
	if c.Op == Create || c.Op == Mkdir {
		if err := m.parent(c.Path); err != nil && !m.pending {
			return err
		}
	}
	c.Before.Secret = secret(c.Before)
	c.After.Secret = secret(c.After)
	m.overlay.Planned[c.Path] = c.After
	m.rewrites[c.Path] = m.rewrites[c.Path] || c.Op == Create || c.Op == Modify
	if i, ok := m.index[c.Path]; ok {
		sc.Changes[i] = sc.Changes[i].followedBy(c)
		return nil
	}
	m.index[c.Path] = len(sc.Changes)
	sc.Changes = append(sc.Changes, c)
	return nil
}

// followedBy joins two changes of one path.
func (c Change) followedBy(next Change) Change {
	c.After = next.After
	c.Op = OpOf(c.Before, c.After)
	c.Why = join(c.Why, next.Why)
	c.Settings = append(c.Settings[:len(c.Settings):len(c.Settings)], next.Settings...)
	c.Serial = c.Serial || next.Serial
	return c
}

func join(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
