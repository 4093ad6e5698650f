package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/console"
)

// Each command line of ours that a page or the manual shows is one that the program
// takes: the command is there, and so is each flag, with a value where it has one.
func TestPagesShowCommandsThatExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 7 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	lines := 0
	for _, page := range append(pages, "../../README.md", "../../docs/mailsetup.8") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(page, string(text)) {
			lines++
			if err := accepts(t, line); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(page), strings.Join(line, " "), err)
			}
		}
	}
	if lines < 100 {
		t.Errorf("%d command lines: are they looked for in the right places?", lines)
	}
}

// The manual lists which flags of init adopt takes.
func TestTheManualListsFlagsOfAdopt(t *testing.T) {
	manual, err := os.ReadFile("../../docs/mailsetup.8")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(manual), ".B mailsetup adopt\ntakes the flags\n")
	list, _, _ = strings.Cut(list, "those of consents")
	var listed, taken []string
	for _, m := range regexp.MustCompile(`\\-\\-([a-z0-9\\-]+)`).FindAllStringSubmatch(list, -1) {
		listed = append(listed, strings.ReplaceAll(m[1], `\-`, "-"))
	}
	for _, f := range adoptFlags() {
		taken = append(taken, f.Names()[0])
	}
	slices.Sort(listed)
	slices.Sort(taken)
	if !slices.Equal(listed, taken) {
		t.Errorf("the manual lists %q, adopt takes %q", listed, taken)
	}
}

func TestCommandLines(t *testing.T) {
	for _, wrong := range []string{"tell", "init --no-such-flag", "dns --timeout", "check --only nothing.such"} {
		if accepts(t, strings.Fields(wrong)) == nil {
			t.Errorf("takes %s", wrong)
		}
	}
	got := commandLines("x.md", "```\n$ sudo mailsetup init --yes \\\n    --domain a.example # the first\nmailsetup: failed\n```\n"+
		"`mailsetup check --only spf,dkim.match` and `mailsetup init --domain …`, `mailsetup dns [DOMAIN…]`\n\n    mailsetup dns | less\n")
	want := []string{"init --yes --domain a.example", "dns", "check --only spf,dkim.match", "init --domain …", "dns [DOMAIN…]"}
	var said []string
	for _, line := range got {
		said = append(said, strings.Join(line, " "))
	}
	if strings.Join(said, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", said, want)
	}
}

var (
	shown  = regexp.MustCompile(`^\s*(?:\w*[$#] )?(?:sudo )?mailsetup (.*)$`)
	inline = regexp.MustCompile("`(?:sudo )?mailsetup ([^`]+)`")
	ends   = regexp.MustCompile(`[|;&<>#)].*$`) // what a shell takes for itself
	block  = regexp.MustCompile("^(```|\\.nf|\\.fi|\\.EX|\\.EE)")
)

// commandLines returns the arguments of each command line of ours on a page: lines of
// their own in blocks of code, and code within text.
func commandLines(page, text string) (list [][]string) {
	manual := strings.HasSuffix(page, ".8")
	if manual {
		text = strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "").Replace(text)
	}
	add := func(found string) {
		if words := strings.Fields(ends.ReplaceAllString(found, "")); len(words) > 0 {
			list = append(list, words)
		}
	}
	inside := false
	for line := range strings.Lines(regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")) {
		line = strings.TrimSuffix(line, "\n")
		if block.MatchString(line) {
			inside = !inside
		} else if m := shown.FindStringSubmatch(line); m != nil && (inside || !manual && strings.HasPrefix(line, "    ")) {
			add(m[1])
		}
	}
	if !manual {
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			add(strings.ReplaceAll(m[1], "\n", " "))
		}
	}
	return list
}

// accepts parses a command line and carries nothing out.
func accepts(t *testing.T, words []string) error {
	t.Helper()
	a := app(console.Console{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	for _, c := range a.Commands {
		c.Action = func(ctx *cli.Context) error {
			for _, id := range slices.Concat(ctx.StringSlice("only"), ctx.StringSlice("skip")) {
				if _, err := finding.Select("", id); err != nil {
					return err
				}
			}
			return nil
		}
	}
	args := []string{"mailsetup"}
	for _, w := range words {
		args = append(args, strings.TrimRight(strings.Trim(w, `[]"'`), ",."))
	}
	return a.RunContext(context.Background(), flagsFirst(a, args))
}
