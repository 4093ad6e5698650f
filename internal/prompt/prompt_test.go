package prompt_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/console"
	"mailsetup/internal/plan"
	"mailsetup/internal/prompt"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

var (
	askSPF = state.Question{
		ID: "record lab.example SPF", Kind: state.AskRecord, Subject: "spf", Domain: "lab.example",
		Text: "the record lacks 192.0.2.10", Path: "/etc/bind/db.lab", Line: 7,
		Before: `@ IN TXT "v=spf1 mx -all"`, After: `@ IN TXT "v=spf1 ip4:192.0.2.10 mx -all"`, Declined: "it stays.",
	}
	askBounces  = state.Question{ID: "bounces", Kind: state.AskBounces, Text: "others see them, too", Declined: "unsigned."}
	askOverride = state.Question{ID: "override", Kind: state.AskOverride, Text: "has a socket of its own"}
)

// atTerminal is a terminal on which a person types lines.
func atTerminal(lines string) (prompt.UI, *bytes.Buffer) {
	said := &bytes.Buffer{}
	return prompt.UI{Console: console.Console{In: strings.NewReader(lines), Out: said, Err: said, Interactive: true}, Accessible: true}, said
}

// Each question is shown with its place and its change, and a no is in front.
func TestQuestionsOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  []bool
	}{
		{"y\ny\ny\n", []bool{true, true, true}},
		{"n\n\ny\n", []bool{false, false, true}},
		{"y\n", []bool{true, false, false}}, // the end of the input is a no
	} {
		u, said := atTerminal(tt.lines)
		got, err := u.AskConsents(t.Context(), []state.Question{askSPF, askBounces, askOverride}, "What follows would change something of yours.")
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v", tt.lines, got, err)
		}
		for _, text := range []string{
			"What follows would change something of yours.\n", "1 of 3", "2 of 3", "3 of 3", "/etc/bind/db.lab:7\n",
			`- @ IN TXT "v=spf1 mx -all"`, `+ @ IN TXT "v=spf1 ip4:192.0.2.10 mx -all"`, "Change this record?", "Sign bounces, too?",
		} {
			if !strings.Contains(said.String(), text) {
				t.Errorf("nothing of %q in\n%s", text, said)
			}
		}
	}
}

// A no to what cannot stay as it is ends the questions.
func TestANoThatEndsTheQuestions(t *testing.T) {
	u, said := atTerminal("n\ny\n")
	if got, err := u.AskConsents(t.Context(), []state.Question{askOverride, askBounces}, ""); err != nil || !slices.Equal(got, []bool{false}) {
		t.Errorf("%v, %v", got, err)
	}
	if strings.Contains(said.String(), "Sign bounces") {
		t.Errorf("asked on:\n%s", said)
	}
}

func TestCtrlCAtAQuestion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u, _ := atTerminal("y\n")
	_, err := u.AskConsents(ctx, []state.Question{askSPF}, "")
	if !errors.Is(err, prompt.ErrAborted) {
		t.Errorf("%v", err)
	}
}

// A refusal is shown as a question, to which a no ends the run.
func TestARefusalOnATerminal(t *testing.T) {
	refusal := &step.Refusal{What: "two SPF records", Hint: "remove one", Keep: &askSPF}
	for lines, want := range map[string]bool{"y\n": true, "n\n": false} {
		u, said := atTerminal(lines)
		if yes, err := u.AskKeep(t.Context(), refusal.Question()); err != nil || yes != want {
			t.Errorf("%q: %v, %v", lines, yes, err)
		}
		if text := "      two SPF records\n      hint: remove one\n      With a yes: it stays.\n      /etc/bind/db.lab:7\n" +
			"      With a no: nothing is changed, and the run ends.\n\nLeave it as it is, and go on?"; !strings.Contains(said.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, said)
		}
	}
	wildcard := state.Question{Kind: state.AskWildcard, Text: "lost"}
	u, said := atTerminal("y\n")
	if _, err := u.AskKeep(t.Context(), (&step.Refusal{What: "lost", Keep: &wildcard}).Question()); err != nil || !strings.Contains(said.String(), "Go on without?") {
		t.Errorf("%v, said\n%s", err, said)
	}
}

// Questions that nobody is there to answer are shown with what they would change.
func TestQuestionsWithoutATerminal(t *testing.T) {
	u, said := atTerminal("")
	u.ShowQuestions([]state.Question{askSPF})
	for _, text := range []string{"  ? a record of your zone\n", "/etc/bind/db.lab:7\n", `- @ IN TXT "v=spf1 mx -all"`} {
		if !strings.Contains(said.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, said)
		}
	}
}

// Flags stand for the person, or say why nobody can be asked.
func TestWhoConfirmsAPlan(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*prompt.UI)
		lines string
		yes   bool
		err   string
	}{
		{"yes", func(*prompt.UI) {}, "y\n", true, ""},
		{"no", func(*prompt.UI) {}, "n\n", false, ""},
		{"--yes", func(u *prompt.UI) { u.Yes = true }, "", true, ""},
		{"--root", func(u *prompt.UI) { u.Tree = true }, "", true, ""},
		{"--json", func(u *prompt.UI) { u.JSON = true }, "y\n", false, "--json prints data and asks nothing"},
		{"no terminal", func(u *prompt.UI) { u.Console.Interactive = false }, "y\n", false, "nobody can be asked here: stdin or stdout is not a terminal"},
	} {
		u, said := atTerminal(tt.lines)
		tt.set(&u)
		yes, err := u.ConfirmPlan(t.Context(), plan.Plan{}, "Do this?")
		if yes != tt.yes || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %v, %v", tt.name, yes, err)
		}
		if asked := strings.Contains(said.String(), "Do this?"); asked != (tt.lines != "" && tt.err == "") {
			t.Errorf("%s: asked %v", tt.name, asked)
		}
	}
}

// Before the yes stand the answers and what each stage does; all of the plan is there
// for who asks for it, in the flags or at the question.
func TestAPlanOnTheScreen(t *testing.T) {
	p := plan.Plan{
		Answers: []plan.Answer{{Name: "Domain", Text: "lab.example"}},
		Stages: []plan.StageChanges{{Name: "OpenDKIM", Changes: []plan.Change{
			{Op: plan.Create, Path: "/etc/opendkim/KeyTable", After: state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte("a row\n")}},
		}}},
	}
	const brief, whole = "  Domain  lab.example\n\n  OpenDKIM  make /etc/opendkim/KeyTable\n", "      +a row\n"
	for _, tt := range []struct {
		name   string
		set    func(*prompt.UI)
		before string // the first question
		after  string
	}{
		{"asked", func(*prompt.UI) {}, brief, whole},
		{"--verbose", func(u *prompt.UI) { u.Verbose = true }, whole, whole},
	} {
		u, said := atTerminal("all\nyes\n")
		tt.set(&u)
		u.ShowPlan(p)
		if yes, err := u.ConfirmPlan(t.Context(), p, "Do this?"); !yes || err != nil {
			t.Errorf("%s: %v, %v", tt.name, yes, err)
		}
		before, after, _ := strings.Cut(said.String(), "Do this?")
		if !strings.Contains(before, tt.before) || !strings.Contains(before, brief) || !strings.Contains(after, tt.after) {
			t.Errorf("%s: said\n%s", tt.name, said)
		}
		if tt.name == "asked" && strings.Contains(before, whole) {
			t.Errorf("said before it was asked for:\n%s", before)
		}
	}
	u, said := atTerminal("")
	u.Yes = true
	if u.ShowPlan(p); said.String() != brief {
		t.Errorf("--yes: said\n%s", said)
	}
}
