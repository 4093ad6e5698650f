package apply

import (
	"context"
	"slices"
	"time"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// ask finds out which units take mail before anything is touched: a stage may
// find it waiting for what an earlier one has moved.
func (r *run) ask(ctx context.Context, p plan.Plan) {
	r.answered = map[string]bool{}
	for _, sc := range p.Stages {
		for _, u := range sc.Units {
			un := unit{Name: u.Name, Probes: u.Probes}
			if _, known := r.answered[u.Name]; known || !asked(un) {
				continue
			}
			on, err := running(ctx, r.s, u.Name)
			r.answered[u.Name] = err == nil && on && answers(ctx, r.s, un) == nil
		}
	}
}

// found notes a unit as it is. A unit that does not run cannot be reloaded: it
// is started.
func (r *run) found(ctx context.Context, u state.Unit) (unit, error) {
	running, err := running(ctx, r.s, u.Name)
	if err != nil {
		return unit{}, err
	}
	if u.Action.AtBoot() {
		return unit{Name: u.Name, Action: u.Action, Running: running, Why: u.Why}, nil
	}
	rec := unit{
		Name: u.Name, Action: u.Action, WakeSocket: u.WakeSocket, Running: running, Probes: u.Probes, NeedsDaemonReload: u.NeedsDaemonReload, Why: u.Why,
	}
	if !running {
		if u.Action != state.Start {
			rec.Action = state.Restart
		}
		return rec, nil
	}
	rec.Answered = asked(rec) && r.answered[u.Name]
	for _, p := range u.UndoProbes {
		if p.Kind == state.ProbeSessions || r.s.Probe(ctx, brief(p)) == nil {
			rec.UndoProbes = append(rec.UndoProbes, p)
		}
	}
	return rec, nil
}

// brief is a probe of what should answer at once, and a name server sooner
// than a mail server that starts a process for it.
func brief(p state.Probe) state.Probe {
	p.Within = 5 * time.Second
	if p.Kind == state.ProbeServed {
		p.Within = time.Second
	}
	return p
}

// asked tells whether the unit takes mail, so that one can ask it.
func asked(un unit) bool {
	return slices.ContainsFunc(un.Probes, func(p state.Probe) bool { return p.Kind == state.ProbeSMTP })
}

// answers asks a unit that takes mail whether it does so now.
func answers(ctx context.Context, s system.Prober, un unit) error {
	for _, p := range un.Probes {
		if p.Kind != state.ProbeSMTP {
			continue
		}
		if err := s.Probe(ctx, brief(p)); err != nil {
			return err
		}
	}
	return nil
}

func running(ctx context.Context, s system.Units, name string) (bool, error) {
	st, err := s.Status(ctx, name)
	if err != nil {
		return false, err
	}
	switch st.Active {
	case "active", "reloading", "activating":
		return true, nil
	}
	return false, nil
}

// act tells the units and waits until each has settled.
func (r *run) act(ctx context.Context, sc plan.StageChanges, st *stage) error {
	for i, u := range sc.Units {
		action := st.Units[i].Action
		note := Event{Kind: UnitBegins, Stage: sc.Name, Unit: u.Name, Action: action}
		r.o.Progress(note)
		if err := redefine(ctx, r.s, u.NeedsDaemonReload); err != nil {
			return err
		}
		if err := r.s.Act(ctx, u.Name, action, u.WakeSocket); err != nil {
			return &unitError{u.Name, err}
		}
		for _, p := range u.Probes {
			r.o.Progress(Event{Kind: ProbeWaits, Stage: sc.Name, Unit: u.Name, Probe: p})
			if err := r.s.Probe(ctx, p); err != nil {
				return &unitError{u.Name, err}
			}
		}
		note.Kind = UnitEnds
		r.o.Progress(note)
		r.report.Units = append(r.report.Units, UnitDone{u.Name, action})
	}
	for _, p := range sc.Probes {
		r.o.Progress(Event{Kind: ProbeWaits, Stage: sc.Name, Probe: p})
		if err := r.s.Probe(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// redefine makes systemd read unit files again that have just changed.
func redefine(ctx context.Context, s system.Units, redefined bool) error {
	if !redefined {
		return nil
	}
	return s.DaemonReload(ctx)
}
