package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/console"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// Nothing that others wrote into main.cf, a zone or a reply is obeyed by a terminal,
// whichever of our functions prints it.
func TestNothingOfOthersMovesTheCursor(t *testing.T) {
	const evil = "[\x1b]0;owned\a\u009b2J\r\x7f]"
	const shown = `[\x1b]0;owned\x07\u009b2J\x0d\u007f]`
	note := state.Note{Topic: "relayhost", Text: "mail leaves through " + evil, Action: "postconf -e " + evil}
	for name, prints := range map[string]func(u ui){
		"notes":     func(u ui) { printNotes(u, []state.Note{note}) },
		"a plan":    func(u ui) { u.person().Summarize(plan.Plan{Notes: []state.Note{note}}) },
		"a dry run": func(u ui) { _ = showDry(u, plan.Plan{Notes: []state.Note{note}}) },
		"a result": func(u ui) {
			_ = printRun(u, provision.Result{Proven: "leaves by " + evil, Problem: errors.New("gone: " + evil)}, nil)
		},
		"a line":      func(u ui) { u.c.Say("doing %s", evil) },
		"a mistake":   func(u ui) { finish(u.c, errors.New(evil)) },
		"what runs":   func(u ui) { u.person().Logf("%s", evil) },
		"the working": func(u ui) { u.machine().Logf("%s", evil) },
	} {
		var out bytes.Buffer
		safe := text.NewSafeWriter(&out) // as run(c) has it
		prints(ui{console.Console{Out: safe, Err: safe}, options{dryRun: true}})
		if got := out.String(); !strings.Contains(got, shown) || strings.ContainsAny(got, "\x1b\a\r\x7f\u009b") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A command gets a console with SafeWriters, and its JSON stays JSON.
func TestCommandsPrintThroughASafeWriter(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"mailsetup", "history", "--root", t.TempDir() + "\u009b2J"}, console.Console{Out: &out, Err: &out}); code == exitDone {
		t.Error("no error")
	}
	if strings.Contains(out.String(), "\u009b") || !strings.Contains(out.String(), `\u009b2J`) {
		t.Errorf("%q", out.String())
	}
}
