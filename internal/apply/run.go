// Package apply carries out plans: it writes down how to undo each stage
// before it begins, validates, commits, acts on units and waits until they
// have settled; and when anything fails it takes everything back and looks
// whether that worked.
package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailsetup/internal/plan"
	"mailsetup/internal/safepath"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Options are the parameters of a run.
type Options struct {
	Command string           // as typed, for the history
	Now     func() time.Time // nil for time.Now
	ID      string           // of the run, see NewID; "" to make one of the time alone
	// TakesBack are the runs that a rollback takes back, for the history.
	TakesBack []string
	Progress  func(Event) // told what goes on, may be nil
	// Bar begins to count files, may be nil.
	Bar func(what string, total int) (step, end func())
}

// Event is something a person who waits wants to know.
type Event struct {
	Kind   EventKind
	Stage  string
	Unit   string
	Action state.UnitAction // of UnitBegins and UnitEnds
	Probe  state.Probe      // of ProbeWaits
	Update state.Update     // of UpdateBegins
}

// EventKind names an event.
type EventKind string

// The events.
const (
	StageBegins EventKind = "stage begins"
	UnitBegins  EventKind = "unit begins"
	UnitEnds    EventKind = "unit ends"
	ProbeWaits  EventKind = "probe waits"
	UndoBegins  EventKind = "undo begins"
	// UpdateBegins: a zone is changed on its primary, or back.
	UpdateBegins EventKind = "update begins"
)

// logLines is how much of a failed unit's journal is shown.
const logLines = 20

// Run applies the plan. If it returns an error that is neither ErrInterrupted
// nor *StalePlanError, it is *Failed (the machine is as it was, which was checked) or
// *NotUndoneError; other errors come before anything was touched. Cancelling ctx
// interrupts the run, which is then taken back.
func Run(ctx context.Context, s system.System, p plan.Plan, j *Journal, o Options) (Report, error) {
	if p.Empty() {
		return Report{}, nil
	}
	if err := applicable(p); err != nil {
		return Report{}, err
	}
	switch open, err := j.Open(); {
	case err != nil:
		return Report{}, err
	case open != nil:
		return Report{}, fmt.Errorf("run %s (%s): %w", open.ID, open.Command, ErrInterrupted)
	}
	r := newRun(s, j, o)
	if err := r.checkFresh(p); err != nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	if err := r.begin(p.Notes); err != nil {
		// What failed may have begun the run all the same.
		if e, rerr := j.Load(r.entry.ID); rerr == nil && e == nil {
			_ = j.remove(r.entry.ID) // an empty place is none
			return Report{}, err
		}
		return r.undo(ctx, err)
	}
	cause := r.forward(ctx, p)
	if cause == nil {
		return r.report, nil
	}
	return r.undo(ctx, cause)
}

// begin opens the journal. Nothing is changed before.
func (r *run) begin(notes []state.Note) error {
	if err := r.j.begin(r.entry); err != nil {
		return err
	}
	return r.j.append(r.entry.ID, event{
		Event: evBegin, Time: r.o.Now(), ID: r.entry.ID, Command: r.entry.Command,
		TakesBack: r.o.TakesBack, Notes: plan.LimitPerTopic(notes, 20),
	})
}

// applicable refuses plans that need something done before Run.
func applicable(p plan.Plan) error {
	for _, st := range p.Stages {
		if len(st.Packages) > 0 {
			return fmt.Errorf("stage %s: packages have to be installed first", st.Name)
		}
		seen := map[state.Path]bool{}
		for _, c := range st.Changes {
			if c.Op == plan.Later {
				return fmt.Errorf("stage %s: %s has to be planned again after its package is installed", st.Name, c.Path)
			}
			if seen[c.Path] {
				return fmt.Errorf("stage %s: two changes of %s", st.Name, c.Path)
			}
			seen[c.Path] = true
		}
	}
	return nil
}

// run is one application of a plan.
type run struct {
	s          system.System
	j          *Journal
	o          Options
	entry      *Entry
	report     Report
	blobs      int       // contents saved so far
	stageStart time.Time // when the current stage began
	// tookMail are the units that took mail when the run began.
	tookMail map[string]bool
}

func newRun(s system.System, j *Journal, o Options) *run {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Bar == nil {
		o.Bar = func(string, int) (step, end func()) { return func() {}, func() {} }
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	now := o.Now()
	if o.ID == "" {
		o.ID = NewID(now, "0000")
	}
	return &run{s: s, j: j, o: o, report: Report{ID: o.ID}, entry: &Entry{ID: o.ID, Command: o.Command, Started: now, Status: Open, dir: j.runDir(o.ID)}}
}

// checkFresh compares the objects that the plan was made from with the machine.
func (r *run) checkFresh(p plan.Plan) error {
	expect := map[state.Path]state.Object{}
	var stale []state.Path
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			cur, seen := expect[c.Path]
			if !seen {
				err := safepath.CheckChangeable(r.s, string(c.Path))
				if err == nil {
					cur, err = r.s.Read(c.Path)
				}
				if err != nil {
					return err
				}
			}
			if !same(cur, c.Before) && !r.isOwnDirectory(c, cur) {
				stale = append(stale, c.Path)
			}
			expect[c.Path] = c.After
		}
	}
	if len(stale) > 0 {
		return &StalePlanError{Paths: stale}
	}
	return nil
}

// isOwnDirectory accepts a directory that the journal made for itself since the plan
// was made.
func (r *run) isOwnDirectory(c plan.Change, cur state.Object) bool {
	return c.Op == plan.Mkdir && r.j.liesBelow(c.Path) && cur.Kind == state.Directory
}

func same(a, b state.Object) bool {
	return a.Kind == b.Kind && a.Mode == b.Mode && a.Owner == b.Owner && a.SameContent(b)
}

// forward applies all stages and closes the journal.
func (r *run) forward(ctx context.Context, p plan.Plan) error {
	r.probeBefore(ctx, p)
	for _, sc := range p.Stages {
		r.o.Progress(Event{Kind: StageBegins, Stage: sc.Name})
		r.stageStart = r.o.Now()
		if err := r.stage(ctx, sc); err != nil {
			return interrupted(ctx, fmt.Errorf("%s: %w", sc.Name, err))
		}
	}
	if err := r.j.close(r.entry.ID, event{Event: evDone, Time: r.o.Now()}, Done); err != nil {
		return err
	}
	r.j.freeReserve(r.entry.dir)
	return nil
}

// interrupted marks an error during cancellation as an interruption.
func interrupted(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return errors.Join(cause, err)
	}
	return err
}

// undo takes the run back and returns what came of it.
func (r *run) undo(ctx context.Context, cause error) (Report, error) {
	ctx = context.WithoutCancel(ctx)
	var log []string
	if name := failedUnit(cause); name != "" {
		all, _ := r.s.Log(ctx, name, r.stageStart, 25*logLines) // only explains
		log = system.Excerpt(all, logLines)
	}
	r.o.Progress(Event{Kind: UndoBegins})
	u := newUndo(r.s, r.j, r.entry, r.o)
	u.run(ctx)
	r.report.Undone, r.report.Kept, r.report.LeftAlone = true, u.kept, u.leftAlone
	if len(u.errs) > 0 {
		return r.report, &NotUndoneError{Cause: cause, Log: log, Undo: u.errs, Commands: u.advice()}
	}
	return r.report, &FailedError{Cause: cause, Log: log, Kept: u.kept}
}

// Recover takes back a run that was interrupted, if there is one. It may be
// interrupted itself, and is then simply run again.
func Recover(ctx context.Context, s system.System, j *Journal, o Options) (Report, error) {
	e, err := j.Open()
	if err != nil || e == nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		left := fmt.Errorf("run %s (%s) is as it was left", e.ID, e.Command)
		return Report{}, &NotUndoneError{Cause: err, Undo: []error{left}, Commands: []string{"mailsetup recover"}}
	}
	r := newRun(s, j, o)
	r.o.Progress(Event{Kind: UndoBegins})
	u := newUndo(s, j, e, r.o)
	u.run(context.WithoutCancel(ctx))
	report := Report{ID: e.ID, Undone: true, Kept: u.kept, LeftAlone: u.leftAlone}
	for _, st := range e.stages {
		for _, c := range st.Changes {
			if st.committing && !st.isKept() {
				report.count(c)
			}
		}
	}
	if len(u.errs) > 0 {
		return report, &NotUndoneError{Undo: u.errs, Commands: u.advice()}
	}
	return report, nil
}
