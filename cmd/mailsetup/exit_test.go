package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/apt"
	"mailsetup/internal/console"
	"mailsetup/internal/jsondoc/jsondoctest"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/stdio"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard"
	"mailsetup/steps/step"
)

// Every error ends as one line, its hints, and an exit code that scripts can
// rely on.
func TestFinish(t *testing.T) {
	sudo := ""
	if os.Geteuid() != 0 {
		sudo = "hint: run it as root (sudo)\n"
	}
	for _, tt := range []struct {
		name string
		err  error
		code int
		says string
	}{
		{"no error", nil, 0, ""},
		{"changes found", errChangesFound, 3, ""},
		{"any error", errors.New("read /etc/x: broken\n"), 1, "mailsetup: read /etc/x: broken\n"},
		{"a failure with a hint", fail("do this", "it failed"), 1, "mailsetup: it failed\nhint: do this\n"},
		{
			"a failure inside another error", fmt.Errorf("install: %w", fail("do this", "it failed")), 1,
			"mailsetup: install: it failed\nhint: do this\n",
		},
		{"usage", usage("look there", "no flag %s", "--x"), 2, "mailsetup: no flag --x\nhint: look there\n"},
		{"usage without a hint", usage("", "no run"), 2, "mailsetup: no run\n"},
		{
			"a step that refuses", fmt.Errorf("DNS: %w", &step.Refusal{What: "two SPF records", Hint: "remove one"}), 2,
			"mailsetup: DNS: two SPF records\nhint: remove one\n",
		},
		{
			"a step that refuses what others wrote", fmt.Errorf("DNS: %w", &step.Refusal{What: "two records: \x1b[31mred\nhint: rm", Hint: "not\a\nthis"}), 2,
			"mailsetup: DNS: two records: \\x1b[31mred\\x0ahint: rm\nhint: not\\x07\\x0athis\n",
		},
		{
			"a run that was interrupted", &apply.FailedError{Cause: fmt.Errorf("DNS: %w", context.Canceled)}, 130,
			"mailsetup: DNS: interrupted\neverything was put back as it was\n",
		},
		{"lines of others", errors.New("named:\n | \x1b]0;x\x07\u009b"), 1, "mailsetup: named:\n | \\x1b]0;x\\x07\\u009b\n"},
		{
			"a file that is unfit", errors.Join(&system.UnusableError{Path: "/etc/x", Line: 7, Text: "is odd", Hint: "correct it"}), 2,
			"mailsetup: /etc/x:7: is odd\nhint: correct it\n",
		},
		{
			"every finding of a wish", fmt.Errorf("wish: %w", syntax.Findings{
				{Field: "--ttl", Text: "is too short", Hint: "3600 is an hour"}, {Field: "--ip", Text: "is private"},
			}), 2,
			"mailsetup: --ttl: is too short\nhint: 3600 is an hour\nmailsetup: --ip: is private\n",
		},
		{"not permitted", &fs.PathError{Op: "read", Path: "/x", Err: fs.ErrPermission}, 1, "mailsetup: read /x: permission denied\n" + sudo},
		{"apt", &apt.Error{Tool: "apt-get install", Reason: apt.ErrLocked}, 1, "mailsetup: apt-get install: another package manager is running\n"},
		{"Ctrl-C at a question", fmt.Errorf("%w: %w", wizard.ErrAborted, context.Canceled), 130, "mailsetup: interrupted\n"},
		{"Ctrl-C before a question", context.Canceled, 130, "mailsetup: interrupted\n"},
		{
			"Ctrl-C while applying", fmt.Errorf("Keys: %w", context.Canceled), 130,
			"mailsetup: Keys: interrupted\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said bytes.Buffer
			code := finish(console.Console{Err: &said}, tt.err)
			if code != tt.code || said.String() != tt.says {
				t.Errorf("exit %d, want %d; said %q, want %q", code, tt.code, said.String(), tt.says)
			}
		})
	}
}

// On a terminal words stay whole, and so do commands to paste.
func TestFinishOnATerminal(t *testing.T) {
	var said bytes.Buffer
	err := fail("look what Postfix says, and correct it\nmailsetup init --domain lab.example --ip 192.0.2.10", "Postfix runs, but not with what is written in main.cf:\n | line 7")
	finish(console.Console{Err: &said, Live: true, Width: 40, Args: []string{"mailsetup"}}, err)
	const want = `mailsetup: Postfix runs, but not with
what is written in main.cf:
 | line 7
hint: look what Postfix says, and
      correct it
hint: mailsetup init --domain lab.example --ip 192.0.2.10
`
	if got := strings.ReplaceAll(said.String(), "sudo ", ""); got != want {
		t.Errorf("said\n%s", got)
	}
}

// A machine that is half changed is the worst: 4 wins over everything that
// led to it, Ctrl-C included.
func TestNotUndoneWins(t *testing.T) {
	for _, cause := range []error{context.Canceled, fail("hint", "failed"), nil} {
		err := fmt.Errorf("init: %w", &apply.NotUndoneError{
			Cause: cause, Undo: []error{errors.New("rename: no space")}, Commands: []string{"mailsetup recover"},
		})
		if code, _ := exitCode(err); code != 4 {
			t.Errorf("cause %v: exit %d, want 4", cause, code)
		}
		if text := message(err); !bytes.Contains([]byte(text), []byte("mailsetup recover")) {
			t.Errorf("cause %v: %q does not say what to type", cause, text)
		}
	}
}

// A fault of the program itself is data, too, for who asked for that; and no second document
// follows one that was begun.
func TestFailuresAsData(t *testing.T) {
	var out, said bytes.Buffer
	c := console.Console{Out: &out, Err: &said, Args: []string{"mailsetup", "list", "--json"}}
	if code := crashed(c, "index out of range"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if err := jsondoctest.Validate(out.String()); err != nil || !strings.Contains(out.String(), `"message": "internal error: index out of range"`) || !strings.Contains(said.String(), "goroutine") {
		t.Errorf("%v\n%s\n%s", err, out.String(), said.String())
	}
	out.Reset()
	begun := stdio.New(&out, nil)
	c.Out = text.NewSafeWriter(begun)
	finish(c, errors.New("first"))
	finish(c, errors.New("second"))
	if err := errors.Join(begun.Flush(nil), jsondoctest.Validate(out.String())); err != nil || !strings.Contains(out.String(), `"first"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestAsksForJSON(t *testing.T) {
	for line, want := range map[string]bool{
		"list --json": true, "list -json": true, "list --json=true": true, "--json": true, "lst --nonsense --json": true, "dns --format json": true,
		"check --format=json": true, "list": false, "list --json=false": false, "list -- --json": false, "dns --format": false, "dns --format plain": false,
		"add-domain json": false, "": false,
	} {
		if got := text.AsksForJSON(append([]string{"mailsetup"}, strings.Fields(line)...)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
