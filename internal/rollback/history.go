package rollback

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/text"
)

// Run is one run of the journal with all that is to be known of it.
type Run struct {
	apply.Entry
	// State is its status, or that it was rolled back.
	State        string
	RolledBackBy string
	Stages       []apply.StageSummary
	// Hints are how to take it back, or why that is not possible.
	Hints []string
}

// rolledBack is the state of a run that a later one took back.
const rolledBack = "rolled back"

// stateOf returns the state of a run, and the rollback that took it back if one did and is
// still in effect.
func stateOf(entries []apply.Entry, e apply.Entry) (word, by string) {
	for _, r := range slices.Backward(entries) {
		if r.Status != apply.Done || !slices.Contains(r.TakesBack, e.ID) {
			continue
		}
		if again, _ := stateOf(entries, r); again != rolledBack {
			return rolledBack, r.ID
		}
	}
	return string(e.Status), ""
}

// Table lists runs in columns, the newest first: what did not end comes before all
// others.
func Table(entries []apply.Entry) string {
	rows := [][]string{{"RUN", "STARTED", "COMMAND", "STATE", "CHANGED"}}
	for _, e := range slices.Backward(entries) {
		word, _ := stateOf(entries, e)
		rows = append(rows, []string{
			e.ID, e.Started.Format("2006-01-02 15:04"), text.Printable(e.Command), word, text.Count(len(e.Paths), "path"),
		})
	}
	return text.Columns(rows, 80)
}

// History returns runs as data.
func History(entries []apply.Entry) jsondoc.History {
	h := jsondoc.History{}
	for _, e := range entries {
		run := runOf(e)
		_, run.RolledBackBy = stateOf(entries, e)
		h.Runs = append(h.Runs, run)
	}
	return h
}

func runOf(e apply.Entry) jsondoc.Run {
	return jsondoc.Run{
		ID: e.ID, Command: e.Command, Started: e.Started, Status: string(e.Status), TakesBack: e.TakesBack,
		Paths: append([]string{}, jsondoc.Paths(e.Paths)...), Notes: jsondoc.Notes(e.Notes),
	}
}

// Runs returns runs as data.
func Runs(list []Run) jsondoc.History {
	var d jsondoc.History
	for _, r := range list {
		d.Runs = append(d.Runs, r.Data())
	}
	return d
}

// Data returns the run as data.
func (r Run) Data() jsondoc.Run {
	run := runOf(r.Entry)
	run.RolledBackBy, run.Hints = r.RolledBackBy, r.Hints
	for _, st := range r.Stages {
		stage := jsondoc.Stage{Name: st.Name}
		for _, z := range st.Zones {
			stage.Updates = append(stage.Updates, jsondoc.UpdateOf(z))
		}
		for _, u := range st.Units {
			stage.Units = append(stage.Units, jsondoc.Unit{Name: u.Name, Action: string(u.Action)})
		}
		if len(st.Files) > 0 {
			stage.Changes = func(yield func(jsondoc.Change) bool) {
				for _, f := range st.Files {
					if !yield(jsondoc.Change{Op: string(f.Op), Path: string(f.Path)}) {
						return
					}
				}
			}
		}
		run.Stages = append(run.Stages, stage)
	}
	return run
}

// Describe returns the runs of the command whose first run has the ID, or a later run
// alone.
func Describe(ctx context.Context, m *machine.Machine, id string) ([]Run, error) {
	entries, err := m.Journal.History()
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, e := range entries {
		if e.ID != id && apply.FirstID(e.ID) != id {
			continue
		}
		whole, err := m.Journal.Load(e.ID)
		if err != nil || whole == nil {
			return nil, err
		}
		r := Run{Entry: e, Stages: whole.Summary()}
		r.State, r.RolledBackBy = stateOf(entries, e)
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		return nil, hint.NewUsage("mailsetup history lists the runs", "no run %q", id)
	}
	runs[len(runs)-1].Hints, err = howToTakeBack(ctx, m, entries, id, decisive(runs)) // all of them go back together
	return runs, err
}

// decisive returns the run of a command that decides how it is taken back: one that did
// not end, or else the last that is in effect, or else the last that can be done again.
func decisive(runs []Run) Run {
	for _, word := range []string{string(apply.Open), string(apply.Done), rolledBack} {
		for _, r := range slices.Backward(runs) {
			if r.State == word {
				return r
			}
		}
	}
	return runs[len(runs)-1]
}

// howToTakeBack returns the command that takes a run back, or what stands in the way.
func howToTakeBack(ctx context.Context, m *machine.Machine, entries []apply.Entry, id string, r Run) ([]string, error) {
	switch {
	case r.State == rolledBack:
		return []string{fmt.Sprintf("mailsetup rollback %s does it again", r.RolledBackBy)}, nil
	case r.Status == apply.Open:
		if _, busy := m.OpenRun(); busy != nil {
			return []string{"it has not ended yet: " + busy.Error()}, nil
		}
		return []string{"mailsetup recover puts the machine back"}, nil
	case r.Status == apply.Undone:
		return []string{"nothing is left of it: it was taken back at once"}, nil
	}
	found, err := find(entries, id)
	if err != nil {
		return nil, err
	}
	if _, err := apply.InverseAll(ctx, found, m.Sys); err != nil {
		return append([]string{"it cannot be taken back now: " + err.Error()}, strings.Split(laterRuns(entries, found), "\n")...), ctx.Err()
	}
	return []string{"mailsetup rollback " + id}, nil
}

// Text tells of a run: what it changed and what was said.
func (r Run) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s, %s\n", r.ID, text.Printable(r.Command), r.Started.Format("2006-01-02 15:04 MST"), r.State)
	if r.RolledBackBy != "" {
		fmt.Fprintf(&b, "rolled back by %s\n", r.RolledBackBy)
	}
	if len(r.TakesBack) > 0 {
		fmt.Fprintf(&b, "takes back %s\n", strings.Join(r.TakesBack, ", "))
	}
	b.WriteString("\nWhat changed\n")
	for _, st := range r.Stages {
		writeStage(&b, st)
	}
	if len(r.Notes) > 0 {
		b.WriteString("\nWhat was said\n")
		plan.WriteNotes(&b, r.Notes)
	}
	return b.String()
}

// writeStage writes a stage that did anything.
func writeStage(b *strings.Builder, st apply.StageSummary) {
	if len(st.Files)+len(st.Zones)+len(st.Units) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s\n", text.Printable(st.Name))
	shown := st.Files
	if len(shown) > mostFiles {
		shown = shown[:mostFiles-1]
	}
	for _, f := range shown {
		sign := map[plan.Op]string{plan.Create: "+", plan.Mkdir: "+", plan.Remove: "-"}[f.Op]
		fmt.Fprintf(b, "    %s %s\n", cmp.Or(sign, "~"), text.Printable(string(f.Path)))
	}
	if more := len(st.Files) - len(shown); more > 0 {
		fmt.Fprintf(b, "    %d more\n", more)
	}
	for _, z := range st.Zones {
		fmt.Fprintf(b, "    ~ zone %s on %s\n", text.Printable(strings.TrimSuffix(z.Origin, ".")), text.Printable(z.Server))
	}
	for _, u := range st.Units {
		fmt.Fprintf(b, "    > %s %s\n", u.Action, text.Printable(u.Name))
	}
}

// mostFiles is up to how many paths of a stage are listed: there may be one for each of
// ten thousand domains.
const mostFiles = 30
