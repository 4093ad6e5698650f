package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/settle"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// units acts again on the units of a stage, so that they run with the restored files:
// at once, before files of earlier stages are restored (a daemon that opens its keys
// for each message never misses one). Files of a stage without units may be read by any
// unit after it; those are reloaded at the end.
func (u *undo) units(ctx context.Context, st *stage) {
	ours := func(c change) bool { return u.j.liesBelow(c.Path) }
	if len(st.Units) == 0 && (len(st.Derived) > 0 || !slices.ContainsFunc(st.Changes, ours)) {
		u.reloadAgain = slices.Clone(u.actedOn)
	}
	var list []unit
	for _, un := range slices.Backward(st.Units) {
		if un.Action.AtBoot() {
			back := opposite(un.Action)
			u.addError(u.s.Act(ctx, un.Name, back, ""), "systemctl "+string(back)+" "+un.Name)
			continue
		}
		list = append(list, un)
	}
	u.act(ctx, st.Name, list)
	for _, un := range list {
		named := func(o unit) bool { return o.Name == un.Name }
		u.reloadAgain = slices.DeleteFunc(u.reloadAgain, named)
		u.actedOn = append(slices.DeleteFunc(u.actedOn, named), un)
	}
}

// opposite returns the action that takes back enable or disable.
func opposite(a state.UnitAction) state.UnitAction {
	if a == state.Enable {
		return state.Disable
	}
	return state.Enable
}

// asReloads returns the units for a reload at the end of an undo, since files that they
// read were restored after them. They run with their own files already; a restart would
// leave a gap in which mail is no longer deferred.
func asReloads(list []unit) []unit {
	list = slices.Clone(list)
	for i := range list {
		list[i].Action, list[i].NeedsDaemonReload = state.Reload, false
		list[i].UndoProbes = slices.DeleteFunc(slices.Clone(list[i].UndoProbes), oldSessions)
	}
	return list
}

func (u *undo) act(ctx context.Context, stage string, list []unit) {
	for _, un := range list {
		if err := daemonReload(ctx, u.s, un.NeedsDaemonReload); err != nil {
			u.addError(err, "systemctl daemon-reload", un.manualCommand())
		}
		now, _, err := running(ctx, u.s, un.Name)
		if err == nil {
			err = u.restoreUnit(ctx, stage, un, now)
		}
		u.recordResult(un, err)
	}
}

// recordResult records the result of an action on a unit. Of several actions, the last
// one decides whether the unit answers: an undo that is run again passes states in
// between, in which a unit may not answer that did before.
func (u *undo) recordResult(un unit, err error) {
	if err == nil || errors.As(err, new(probeFailure)) {
		u.faults = slices.DeleteFunc(u.faults, func(f unitFault) bool { return f.unit.Name == un.Name })
	}
	switch {
	case err == nil:
	case errors.As(err, new(probeFailure)):
		u.faults = append(u.faults, unitFault{un, err})
	default:
		u.addError(err, un.manualCommand())
	}
}

// probeFailure is the error of a unit that was acted on and whose probes fail.
type probeFailure struct{ error }

func (e probeFailure) Unwrap() error { return e.error }

// unitFault is a unit that did not come back.
type unitFault struct {
	unit unit
	err  error
}

// manualCommand returns the command that restores the unit by hand.
func (un unit) manualCommand() string {
	if !un.Running {
		return "systemctl stop " + un.Name
	}
	return "systemctl " + string(un.back()) + " " + un.Name
}

// back returns the action that has a unit run with the files of before.
func (un unit) back() state.UnitAction {
	if un.Action == state.Stop {
		return state.Start
	}
	return un.Action
}

func (u *undo) restoreUnit(ctx context.Context, stage string, un unit, now bool) error {
	if !un.Running {
		if now {
			return u.s.Stop(ctx, un.Name)
		}
		return nil
	}
	action := un.back()
	if !now {
		action = state.Restart
	}
	u.o.Progress(Event{Kind: UnitBegins, Unit: un.Name, Action: action})
	if err := actOn(ctx, u.s, un.Name, action, un.Zones, un.milterSocket(), un.Starting); err != nil {
		return err
	}
	if err := u.settle(ctx, stage, un); err != nil {
		return probeFailure{err}
	}
	u.o.Progress(Event{Kind: UnitEnds, Unit: un.Name, Action: action})
	on, _, err := running(ctx, u.s, un.Name)
	if err == nil && !on && !un.Starting {
		err = fmt.Errorf("%s %s: it did not stay running", action, un.Name)
	}
	return err
}

// settle waits until the probes of the unit pass, and old sessions have ended, but for one that
// never ends. A unit that was only starting need not become active.
func (u *undo) settle(ctx context.Context, stage string, un unit) error {
	probes := slices.DeleteFunc(slices.Clone(un.Probes), func(p state.Probe) bool { return p.Kind != state.ProbeActive || un.Starting })
	return settle.Wait(ctx, leaveSessions{u.s}, append(probes, un.UndoProbes...), func(p state.Probe) {
		if p.Kind == state.ProbeSessions {
			u.o.Progress(Event{Kind: ProbeWaits, Stage: stage, Unit: un.Name, Probe: p})
		}
	})
}

// leaveSessions is a Prober that waits for the end of old sessions, but does not need it.
type leaveSessions struct{ system.Prober }

// Probe implements system.Prober.
func (l leaveSessions) Probe(ctx context.Context, p state.Probe) error {
	if err := l.Prober.Probe(ctx, p); p.Kind != state.ProbeSessions {
		return err
	}
	return nil
}
