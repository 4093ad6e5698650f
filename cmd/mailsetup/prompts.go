package main

import (
	"context"
	"fmt"
	"io"

	"mailsetup/internal/console"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard"
)

// ui is where a command talks, with the flags that say how: the person in front of a
// run, or the flags that stand for one.
type ui struct {
	c console.Console
	o options
}

// ShowPlan implements provision.UI. Who is asked sees the plan then.
func (u ui) ShowPlan(p plan.Plan) {
	switch {
	case u.o.json:
	case u.o.verbose || !u.decides():
		u.printSummary(p)
	}
}

// ConfirmPlan shows the plan on one screen and takes a yes; anything else leaves
// the machine as it is.
func (u ui) ConfirmPlan(ctx context.Context, p plan.Plan, question string) (bool, error) {
	switch {
	case u.o.yes || u.o.root != "":
		return true, nil
	case u.o.json:
		return false, usage("add --yes", "--json prints data and asks nothing")
	case !u.asksPerson():
		return false, usage("add --yes", "nobody can be asked here: stdin or stdout is not a terminal")
	}
	fmt.Fprintln(u.c.Out)
	_ = u.noted(p).Summary(text.Raw(u.c.Out), plan.TextOptions{Color: u.c.Color})
	fmt.Fprintln(u.c.Out)
	plainly := u
	plainly.c.Color = false // not every pager takes colours
	return u.ask(ctx, question, func(w io.Writer) error { return plainly.printPlan(w, p) })
}

// ask takes a yes. Details are what there is to see beside what is on the screen.
func (u ui) ask(ctx context.Context, question string, details wizard.Details) (bool, error) {
	return wizard.Confirm(ctx, u.terminal(wizard.Options{}), question, details)
}

// AskConsents implements provision.UI; No is in front.
func (u ui) AskConsents(ctx context.Context, questions []state.Question, introduction string) ([]bool, error) {
	if introduction != "" {
		fmt.Fprintf(u.c.Out, "\n%s\n", text.Wrap(introduction, 78))
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
	fmt.Fprintln(u.c.Out)
	return answers, nil
}

// askConsent shows a question, with what it is of how many, and takes a yes to the
// words.
func (u ui) askConsent(ctx context.Context, q state.Question, which, words string) (bool, error) {
	fmt.Fprintln(u.c.Out)
	if err := plan.WriteQuestion(text.Raw(u.c.Out), q, which, plan.TextOptions{Color: u.c.Color}); err != nil {
		return false, err
	}
	fmt.Fprintln(u.c.Out)
	return u.ask(ctx, words, nil)
}

// AskKeep implements provision.UI.
func (u ui) AskKeep(ctx context.Context, refused state.Question) (bool, error) {
	return u.askConsent(ctx, refused, "", plan.KeepPrompt(refused.Kind))
}

// ShowQuestions implements provision.UI.
func (u ui) ShowQuestions(questions []state.Question) {
	for _, q := range questions {
		_ = plan.WriteQuestion(u.c.Err, q, "", plan.TextOptions{})
	}
}

// Logf implements provision.UI.
func (u ui) Logf(format string, a ...any) { u.c.Say(format, a...) }

// StartBar implements provision.UI.
func (u ui) StartBar(what string, total int) (step, end func()) {
	u.c.Live = u.c.Live && !u.o.accessible
	return u.c.StartBar(what, total)
}

// Applied implements provision.UI.
func (u ui) Applied(what string) {
	if !u.o.json {
		fmt.Fprintf(u.c.Out, "\n%s\n", text.Wrap(what, 78))
	}
}

// Hold implements provision.UI.
func (u ui) Hold() (release func()) { return u.c.Hold() }
