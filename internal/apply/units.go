package apply

import (
	"context"
	"errors"
	"slices"
	"time"

	"mailsetup/internal/plan"
	"mailsetup/internal/rndc"
	"mailsetup/internal/settle"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// probeBefore finds out which units take mail before anything is changed: later in the
// run, mail may be deferred because of an earlier stage.
func (r *run) probeBefore(ctx context.Context, p plan.Plan) {
	r.tookMail = map[string]bool{}
	for _, sc := range p.Stages {
		for _, u := range sc.Units {
			un := unit{Name: u.Name, Probes: u.Probes}
			if _, known := r.tookMail[u.Name]; known || !takesMail(un) {
				continue
			}
			on, _, err := running(ctx, r.s, u.Name)
			r.tookMail[u.Name] = err == nil && on && probeMail(ctx, r.s, un) == nil
		}
	}
}

// unitBefore returns a unit with its present state. One that does not run cannot be
// reloaded, so its action becomes a start, unless it is to be stopped.
func (r *run) unitBefore(ctx context.Context, u state.Unit) (unit, error) {
	on, starting, err := running(ctx, r.s, u.Name)
	if err != nil {
		return unit{}, err
	}
	if u.Action.AtBoot() {
		return unit{Name: u.Name, Action: u.Action, Running: on, Why: u.Why}, nil
	}
	rec := unit{
		Name: u.Name, Action: u.Action, WakeSocket: u.WakeSocket, Running: on, Starting: starting, Probes: u.Probes, NeedsDaemonReload: u.NeedsDaemonReload, Why: u.Why, Zones: u.Zones,
	}
	if !on {
		if u.Action != state.Start && u.Action != state.Stop {
			rec.Action = state.Restart
		}
		return rec, nil
	}
	rec.TookMail = takesMail(rec) && r.tookMail[u.Name]
	rec.UndoProbes = settle.Passing(ctx, assumeSessions{r.s}, u.UndoProbes)
	return rec, nil
}

// assumeSessions is a Prober that does not wait for the end of old sessions.
type assumeSessions struct{ system.Prober }

// Probe implements system.Prober.
func (a assumeSessions) Probe(ctx context.Context, p state.Probe) error {
	if p.Kind == state.ProbeSessions {
		return nil
	}
	return a.Prober.Probe(ctx, p)
}

// takesMail reports whether the unit has a probe for taking mail.
func takesMail(un unit) bool {
	return slices.ContainsFunc(un.Probes, func(p state.Probe) bool { return p.Kind == state.ProbeSMTP })
}

// probeMail asks a unit whether it takes mail now.
func probeMail(ctx context.Context, s system.Prober, un unit) (err error) {
	for _, p := range un.Probes {
		if p.Kind == state.ProbeSMTP && err == nil {
			err = settle.Now(ctx, s, p)
		}
	}
	return err
}

// running reports whether a unit runs, and whether it is only starting: a forking one
// that writes no PID file never comes further, and works until systemd starts it again.
func running(ctx context.Context, s system.Units, name string) (on, starting bool, err error) {
	st, err := s.Status(ctx, name)
	starting = st.Active == "activating"
	return err == nil && (starting || st.Active == "active" || st.Active == "reloading"), starting, err
}

// actOn acts on a unit. One that may never be up is not waited for: its answers tell.
// It is restarted, since systemd reloads only what is up. BIND is told of zones.
func actOn(ctx context.Context, s rndc.System, name string, action state.UnitAction, zones *state.ZoneReload, wake state.Path, starting bool) error {
	if action == state.Reload && zones != nil && !starting && rndc.Reload(ctx, s, name, *zones) == nil {
		return nil
	}
	if !starting {
		return s.Act(ctx, name, action, wake)
	}
	if action == state.Reload {
		action = state.Restart
	}
	within, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	err := s.Act(within, name, action, wake)
	if ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, system.ErrJobTimeout)) {
		return nil
	}
	return err
}

// act acts on the units and waits until each has settled.
func (r *run) act(ctx context.Context, sc plan.StageChanges, st *stage) error {
	for i, u := range sc.Units {
		action := st.Units[i].Action
		note := Event{Kind: UnitBegins, Stage: sc.Name, Unit: u.Name, Action: action}
		r.o.Progress(note)
		if err := daemonReload(ctx, r.s, u.NeedsDaemonReload); err != nil {
			return err
		}
		if err := actOn(ctx, r.s, u.Name, action, u.Zones, u.WakeSocket, u.Starting); err != nil {
			return &unitError{u.Name, err}
		}
		waits := func(p state.Probe) { r.o.Progress(Event{Kind: ProbeWaits, Stage: sc.Name, Unit: u.Name, Probe: p}) }
		if err := settle.Wait(ctx, r.s, u.Probes, waits); err != nil {
			return &unitError{u.Name, err}
		}
		note.Kind = UnitEnds
		r.o.Progress(note)
		r.report.Units = append(r.report.Units, UnitDone{u.Name, action})
	}
	return settle.Wait(ctx, r.s, sc.Probes, func(p state.Probe) { r.o.Progress(Event{Kind: ProbeWaits, Stage: sc.Name, Probe: p}) })
}

// daemonReload makes systemd read changed unit files.
func daemonReload(ctx context.Context, s system.Units, redefined bool) error {
	if !redefined {
		return nil
	}
	return s.DaemonReload(ctx)
}
