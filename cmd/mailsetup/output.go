package main

import (
	"cmp"
	"fmt"
	"slices"

	"mailsetup/internal/check"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

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
		_ = u.person().WritePlan(u.c.Out, p)
	default:
		_ = u.person().Noted(p).Preview(text.Raw(u.c.Out), plan.TextOptions{Color: u.c.Color, Diff: true})
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
			d.Run, d.Adopted = jsondoc.Changed(r.TakeBackID(), r.Paths), adopted
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
