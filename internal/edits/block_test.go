package edits_test

import (
	"strings"
	"testing"

	"mailsetup/internal/edits"
	"mailsetup/internal/state"
)

func TestBlock(t *testing.T) {
	e := state.BlockEdit{Path: "/etc/x", Name: "SPF", Lines: []string{"a = b", "  c"}}
	const block = "# mailsetup: SPF\na = b\n  c\n# mailsetup: end of SPF\n"
	last := e
	last.Last = true
	for name, c := range map[string]struct {
		edit         state.BlockEdit
		before, want string
		goesBack     bool
	}{
		"empty":              {e, "", block, true},
		"at the end":         {e, "x\n", "x\n" + block, true},
		"no newline":         {e, "x", "x\n" + block[:len(block)-1], true},
		"there already":      {e, "x\n" + block + "y\n", "x\n" + block + "y\n", false},
		"changed":            {e, "x\n# mailsetup: SPF\na = c\n# mailsetup: end of SPF\ny", "x\n" + block + "y", false},
		"to be last":         {last, block + "y\n", "y\n" + block, false},
		"last already":       {last, "y\n" + block + "\n", "y\n" + block + "\n", false},
		"to be last, no end": {last, block + "y", "y\n" + block[:len(block)-1], false},
	} {
		got, err := edits.Block(c.edit, []byte(c.before))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
			continue
		}
		if again, err := edits.Block(c.edit, got); err != nil || string(again) != c.want {
			t.Errorf("%s, twice: %q, %v", name, again, err)
		}
		drop := c.edit
		drop.Drop = true
		if back, err := edits.Block(drop, got); c.goesBack && (err != nil || string(back) != c.before) {
			t.Errorf("%s, dropped: %q, %v", name, back, err)
		}
		if lines, _, found := edits.BlockLines(string(got), "SPF"); lines != "a = b\n  c\n" || !found {
			t.Errorf("%s: lines %q", name, lines)
		}
	}
	for _, text := range []string{"# mailsetup: SPF\nx\n", "# mailsetup: SPF\n# mailsetup: SPF\n# mailsetup: end of SPF\n"} {
		if got, err := edits.Block(e, []byte(text)); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
	if lines, around, found := edits.BlockLines("x", "SPF"); lines != "" || around != "x" || found {
		t.Errorf("%q, %q", lines, around)
	}
	e.Stamp = true
	const stamped = "# mailsetup: SPF\na = b\n  c\n# mailsetup: end of SPF 091622b0\n"
	for before, want := range map[string]string{
		"x\n": "x\n" + stamped, "x\n" + block: "x\n" + stamped, "x\n" + stamped + "y": "x\n" + stamped + "y",
		strings.Replace(stamped, "c\n", "d\n", 1): "/etc/x:1: lines of mailsetup (SPF) were edited by hand",
	} {
		got, err := edits.Block(e, []byte(before))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != want {
			t.Errorf("%q: %q, want %q", before, got, want)
		}
	}
	e.Drop = true
	if got, err := edits.Block(e, []byte("x\n"+stamped)); string(got) != "x\n" || err != nil {
		t.Errorf("dropped: %q, %v", got, err)
	}
	e.Lines = []string{"a\nb"}
	if got, err := edits.Block(e, nil); err == nil {
		t.Errorf("two lines in one: %q", got)
	}
}
