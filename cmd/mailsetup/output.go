package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"mailsetup/internal/check"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// printPlan prints all of a plan, with every difference.
func (u ui) printPlan(w io.Writer, p plan.Plan) error {
	return u.noted(p).Text(text.Raw(w), plan.TextOptions{Color: u.c.Color, Diff: true})
}

// printSummary prints a plan that is not asked about, in twenty lines if that is enough.
func (u ui) printSummary(p plan.Plan) {
	if u.o.verbose {
		_ = u.printPlan(u.c.Out, p)
		return
	}
	_ = u.noted(p).Summary(text.Raw(u.c.Out), plan.TextOptions{Color: u.c.Color, WholeNotes: true})
}

// decides reports whether a plan that is shown is not carried out yet.
func (u ui) decides() bool { return u.o.dryRun || u.asksPerson() && u.o.root == "" }

// noted returns a plan with the notes that it is shown with. What is left for the human
// comes at the end of the run, and before it as well if it may help to decide.
func (u ui) noted(p plan.Plan) plan.Plan {
	notes := slices.DeleteFunc(plan.OneLineNotes(p.Notes), func(n state.Note) bool { return !n.Informational && !u.decides() })
	p.Notes = plan.Typed(notes, u.c.Typed())
	return p
}

// showDry is the end of --dry-run.
func showDry(u ui, p plan.Plan, adopted ...jsondoc.Domain) error {
	switch {
	case u.o.json:
		d := p.Document()
		d.Adopted = adopted
		if err := u.print(d); err != nil {
			return err
		}
	case p.Empty():
		fmt.Fprintln(u.c.Out, "Nothing to do.")
		printNotes(u, p.Notes)
	case u.o.verbose:
		_ = u.printPlan(u.c.Out, p)
	default:
		_ = u.noted(p).Preview(text.Raw(u.c.Out), plan.TextOptions{Color: u.c.Color, Diff: true})
	}
	if u.o.exitCode && !p.Empty() {
		return errChangesFound
	}
	return nil
}

// print prints what --json prints, all of it.
func (u ui) print(d jsondoc.Document) error { return jsondoc.Write(u.c.Out, d) }

// printRun prints what a run did that was not printed as it happened: what was
// proven, what is left for the human, what to type next. Its error says that
// something is wrong although all is done.
func printRun(u ui, r provision.Result, found check.Closing, adopted ...jsondoc.Domain) error {
	var problem error
	if r.Problem != nil {
		u.c.Say("all of this stays, but %s", message(r.Problem))
		u.c.Hints(hint.Of(r.Problem))
		problem = errProblemsFound
	}
	if u.o.json {
		d := jsondoc.Result{Changed: r.Changed(), Notes: jsondoc.Notes(r.Notes), Proven: r.Proven, Findings: found}
		if r.Changed() {
			d.Run, d.Adopted = jsondoc.Changed(r.TakeBackID(), r.Plan.Paths()), adopted
		}
		if problem != nil {
			d.Error = failure(u.c, r.Problem)
			d.Error.Exit = exitFound
		}
		return cmp.Or(u.print(d), problem)
	}
	if !r.Changed() {
		fmt.Fprintf(u.c.Out, "Nothing to do: this %s is as you asked for.\n", r.Machine)
	}
	if r.Proven != "" {
		fmt.Fprintln(u.c.Out, text.Wrap(r.Proven, 78))
	}
	printNotes(u, r.Notes)
	u.printFound(found)
	fmt.Fprint(u.c.Out, r.Next())
	return problem
}

// printFound prints what a check found at the end of a run.
func (u ui) printFound(list check.Closing) {
	if len(list) > 0 {
		fmt.Fprint(u.c.Out, "\n"+list.Text())
	}
}

// maxNotesPerTopic is how many notes on one topic are printed.
const maxNotesPerTopic = 20

// printNotes prints what is left for the human. Records to paste stand at the
// margin: in a zone file, leading white space would mean the name above.
func printNotes(u ui, notes []state.Note) {
	notes = plan.LimitPerTopic(slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return n.Informational }), maxNotesPerTopic)
	if len(notes) == 0 {
		return
	}
	fmt.Fprintln(u.c.Out, "\nLeft for you:")
	plan.WriteNotes(u.c.Out, plan.Typed(notes, u.c.Typed()))
}
