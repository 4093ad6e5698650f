// Package prompt is the person in front of a run, or the flags that stand for one: it
// shows plans and takes answers.
package prompt

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"mailsetup/internal/console"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard"
)

// ErrAborted is the error of a question that was left with Ctrl-C.
var ErrAborted = wizard.ErrAborted

// UI implements provision.UI. The flags decide what the person is asked.
type UI struct {
	Console    console.Console
	Yes        bool // every question but a consent is answered: --yes
	JSON       bool // data is printed and nothing asked: --json
	DryRun     bool // the plan is shown and not carried out: --dry-run
	Tree       bool // the run writes a directory, which needs no yes: --root
	Verbose    bool // whole plans are shown: --verbose
	Accessible bool // plain questions, for screen readers: --accessible
}

// Asks reports whether a person answers questions in this run.
func (u UI) Asks() bool { return u.Console.Interactive && !u.Yes && !u.JSON }

// Summarize prints a plan that is not asked about, in twenty lines if that is enough.
func (u UI) Summarize(p plan.Plan) {
	if u.Verbose {
		_ = u.WritePlan(u.Console.Out, p)
		return
	}
	_ = u.Noted(p).Summary(text.Raw(u.Console.Out), plan.TextOptions{Color: u.Console.Color, WholeNotes: true})
}

// AskAnswers puts the questions of the wizard.
func (u UI) AskAnswers(ctx context.Context, o wizard.Options) (spec.Answers, error) {
	return wizard.Ask(ctx, u.terminal(o))
}

// terminal says how to talk to the person who is asked.
func (u UI) terminal(o wizard.Options) wizard.Options {
	o.In, o.Out, o.Width, o.Color = u.Console.In, text.Raw(u.Console.Out), u.Console.Width, u.Console.Color
	o.Accessible = u.Accessible || os.Getenv("TERM") == "dumb"
	return o
}

// Noted returns a plan with the notes that it is shown with. What is left for the human
// comes at the end of the run, and before it as well if it may help to decide.
func (u UI) Noted(p plan.Plan) plan.Plan {
	notes := slices.DeleteFunc(plan.OneLineNotes(p.Notes), func(n state.Note) bool { return !n.Informational && !u.decides() })
	p.Notes = plan.Typed(notes, u.Console.Typed())
	return p
}

// decides reports whether a plan that is shown is not carried out yet.
func (u UI) decides() bool { return u.DryRun || u.Asks() && !u.Tree }

// WritePlan writes all of a plan, with every difference.
func (u UI) WritePlan(w io.Writer, p plan.Plan) error {
	return u.Noted(p).Text(text.Raw(w), plan.TextOptions{Color: u.Console.Color, Diff: true})
}

// ShowPlan implements provision.UI. Who is asked sees the plan then.
func (u UI) ShowPlan(p plan.Plan) {
	switch {
	case u.JSON:
	case u.Verbose || !u.decides():
		u.Summarize(p)
	}
}

// ConfirmPlan shows the plan on one screen and takes a yes; anything else leaves
// the machine as it is.
func (u UI) ConfirmPlan(ctx context.Context, p plan.Plan, question string) (bool, error) {
	switch {
	case u.Yes || u.Tree:
		return true, nil
	case u.JSON:
		return false, hint.NewUsage("add --yes", "--json prints data and asks nothing")
	case !u.Asks():
		return false, hint.NewUsage("add --yes", "nobody can be asked here: stdin or stdout is not a terminal")
	}
	fmt.Fprintln(u.Console.Out)
	_ = u.Noted(p).Summary(text.Raw(u.Console.Out), plan.TextOptions{Color: u.Console.Color})
	fmt.Fprintln(u.Console.Out)
	plainly := u
	plainly.Console.Color = false // not every pager takes colours
	return u.ask(ctx, question, func(w io.Writer) error { return plainly.WritePlan(w, p) })
}

// ask takes a yes. Details are what there is to see beside what is on the screen.
func (u UI) ask(ctx context.Context, question string, details wizard.Details) (bool, error) {
	return wizard.Confirm(ctx, u.terminal(wizard.Options{}), question, details)
}

// AskConsents implements provision.UI; No is in front.
func (u UI) AskConsents(ctx context.Context, questions []state.Question, introduction string) ([]bool, error) {
	if introduction != "" {
		fmt.Fprintf(u.Console.Out, "\n%s\n", text.Wrap(introduction, 78))
	}
	var answers []bool
	for i, q := range questions {
		yes, err := u.askConsent(ctx, q, fmt.Sprintf("%d of %d", i+1, len(questions)), plan.Prompt(q.Kind))
		if err != nil {
			return nil, err
		}
		answers = append(answers, yes)
		if !yes && q.Declined == "" {
			return answers, nil
		}
	}
	fmt.Fprintln(u.Console.Out)
	return answers, nil
}

// askConsent shows a question, with what it is of how many, and takes a yes to the
// words.
func (u UI) askConsent(ctx context.Context, q state.Question, which, words string) (bool, error) {
	fmt.Fprintln(u.Console.Out)
	if err := plan.WriteQuestion(text.Raw(u.Console.Out), q, which, plan.TextOptions{Color: u.Console.Color}); err != nil {
		return false, err
	}
	fmt.Fprintln(u.Console.Out)
	return u.ask(ctx, words, nil)
}

// AskKeep implements provision.UI.
func (u UI) AskKeep(ctx context.Context, refused state.Question) (bool, error) {
	return u.askConsent(ctx, refused, "", plan.KeepPrompt(refused.Kind))
}

// ShowQuestions implements provision.UI.
func (u UI) ShowQuestions(questions []state.Question) {
	for _, q := range questions {
		_ = plan.WriteQuestion(u.Console.Err, q, "", plan.TextOptions{})
	}
}

// Logf implements provision.UI.
func (u UI) Logf(format string, a ...any) { u.Console.Say(format, a...) }

// StartBar implements provision.UI.
func (u UI) StartBar(what string, total int) (step, end func()) {
	u.Console.Live = u.Console.Live && !u.Accessible
	return u.Console.StartBar(what, total)
}

// Applied implements provision.UI.
func (u UI) Applied(what string) {
	if !u.JSON {
		fmt.Fprintf(u.Console.Out, "\n%s\n", text.Wrap(what, 78))
	}
}

// Hold implements provision.UI.
func (u UI) Hold() (release func()) { return u.Console.Hold() }
