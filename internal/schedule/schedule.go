// Package schedule finds out whether something looks every hour at whether a key is due.
package schedule

import (
	"context"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	timer    = "mailsetup-rotate.timer"
	cron     = "cron.service"
	cronFile = state.Path("/etc/cron.d/mailsetup")

	packaged = state.Path("/usr/lib/systemd/system/" + timer)
	byHand   = state.Path("/usr/local/lib/systemd/system/" + timer)
)

// Machine is what is asked.
type Machine interface {
	Status(ctx context.Context, unit string) (system.UnitStatus, error)
	Stat(p state.Path) (state.Object, error)
}

// Schedule is what there is to call mailsetup rotate-dkim.
type Schedule struct {
	timer     system.UnitStatus
	cron      bool // it runs, and has our file
	installed bool // a timer, or a file of cron
	shadowed  bool // the timer of the package, by that of an earlier make install
}

// Look asks a machine.
func Look(ctx context.Context, m Machine) (s Schedule, err error) {
	if s.timer, err = m.Status(ctx, timer); err != nil {
		return Schedule{}, err
	}
	is := func(p state.Path) bool {
		o, err := m.Stat(p)
		return err == nil && o.Kind == state.Regular
	}
	file := is(cronFile)
	if file && s.timer.Active != "active" {
		status, err := m.Status(ctx, cron)
		s.cron = err == nil && status.Active == "active"
	}
	s.installed = file || s.timer.Load != "not-found"
	s.shadowed = is(packaged) && is(byHand)
	return s, nil
}

// Ticks reports whether the timer or cron looks.
func (s Schedule) Ticks() bool { return s.timer.Active == "active" || s.cron }

// Problems says why nobody looks, or who does in place of the timer.
func (s Schedule) Problems() []state.Note {
	var notes []state.Note
	if s.shadowed {
		notes = append(notes, state.Note{
			Text:   "an earlier make install hides the package: its timer starts /usr/local/bin/mailsetup",
			Action: "rm /usr/local/bin/mailsetup /usr/local/lib/systemd/system/mailsetup-* && systemctl daemon-reload && systemctl reenable " + timer + " && systemctl restart " + timer,
		})
	}
	why := "is disabled, by a preset of this system or by somebody"
	switch {
	case !s.installed || s.timer.Active == "active":
		return notes
	case s.timer.Load == "masked" || s.timer.AtBoot == "masked":
		return append(notes, s.off("is masked", "systemctl unmask "+timer+" && systemctl enable --now "+timer))
	case s.timer.Load == "not-found":
		why = "is not there"
	case s.timer.AtBoot == "enabled":
		return append(notes, s.off("is stopped", "systemctl start "+timer))
	}
	return append(notes, s.off(why, "systemctl enable --now "+timer))
}

// off says that the timer does not run, and what that means.
func (s Schedule) off(why, action string) state.Note {
	if s.cron {
		return state.Note{Text: timer + " " + why + ": cron looks in its place whether a key is due", Action: action}
	}
	return state.Note{Text: timer + " " + why + ", and cron does not do its work: nobody looks whether a key is due", Action: action}
}
