package plan

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// summaryLines bounds what a summary says of stages and notes: with the answers above
// and a question below, that is what a person takes in at a glance.
const summaryLines = 20

// Summary prints what the plan is for, and in at most 20 lines what each stage does.
// Notes that doubt an answer come before that, others have what is left of the lines.
func (p Plan) Summary(w io.Writer, o TextOptions) error {
	t := &printer{color: o.Color}
	t.answers(p.Answers)
	doubts, others := split(p.Notes)
	for _, n := range doubts {
		t.note(n)
	}
	if len(doubts) > 0 {
		t.line("")
	}
	body := &printer{color: o.Color}
	body.outline(p)
	head := firstLines(body.buf.String(), summaryLines-min(len(others), 1))
	t.buf.WriteString(head)
	if o.WholeNotes {
		t.notes(others)
	} else {
		t.noteLines(others, summaryLines-strings.Count(head, "\n"))
	}
	_, err := w.Write(t.buf.Bytes())
	return err
}

// split returns the notes that doubt an answer, and the others.
func split(notes []state.Note) (doubts, others []state.Note) {
	for _, n := range notes {
		if n.Doubt {
			doubts = append(doubts, n)
		} else {
			others = append(others, n)
		}
	}
	return doubts, others
}

// answers prints what was asked for, a line each with its name in front.
func (t *printer) answers(list []Answer) {
	name := 0
	for _, a := range list {
		name = max(name, utf8.RuneCountInString(a.Name))
	}
	for _, a := range list {
		t.column(name, a.Name, plain, a.Text)
	}
	if len(list) > 0 {
		t.line("")
	}
}

// column prints a text beside a name of up to so many columns.
func (t *printer) column(columns int, name string, s style, what string) {
	indent := 2 + columns + 2
	for i, row := range rows(indent, what) {
		if i == 0 {
			pad := strings.Repeat(" ", columns-utf8.RuneCountInString(name)+2)
			t.line("  " + t.paint(s, name) + pad + row)
		} else {
			t.line(strings.Repeat(" ", indent) + row)
		}
	}
}

// outline prints what each stage does. What mailsetup remembers is no news.
func (t *printer) outline(p Plan) {
	if p.Empty() {
		t.line("Nothing to do: everything is as it should be.")
	}
	type row struct{ name, does string }
	var list []row
	columns := 0
	made := map[state.Path]bool{}
	for _, st := range p.Stages {
		if does := st.outline(made); does != "" {
			list = append(list, row{st.Name, does})
			columns = max(columns, len(st.Name))
		}
	}
	if len(list) == 0 && !p.Empty() {
		t.line("  change what mailsetup remembers, in " + string(state.OwnDir))
	}
	var gone []string
	for _, st := range p.Stages {
		gone = append(gone, st.Uninstall...)
	}
	if len(gone) > 0 {
		t.wrap(2, "apt REMOVES: "+text.List(gone, 12))
	}
	for _, r := range list {
		t.column(columns, r.name, bold, r.does)
	}
	if len(p.Drift) > 0 {
		t.line("  " + text.CountOf(len(p.Drift), "file has a text that is not mailsetup's", "files have a text that is not mailsetup's"))
	}
}

// outline says in a few words what a stage does, "" for nothing but what mailsetup
// remembers. What an earlier stage made was told.
func (s StageChanges) outline(made map[state.Path]bool) string {
	var parts []string
	if len(s.Packages) > 0 {
		var names []string
		for _, p := range s.Packages {
			names = append(names, p.Name)
		}
		install := "install " + text.List(names, 4)
		if more := len(s.Install) - len(names); more > 0 {
			install += " and " + text.CountOf(more, "package", "packages") + " that they need"
		}
		parts = append(parts, install)
	}
	parts = append(parts, s.outlineFiles(made)...)
	for _, d := range s.Derived {
		parts = append(parts, "make "+string(d.Path)+" anew")
	}
	var zones []string
	for _, u := range s.Updates {
		zones = append(zones, fmt.Sprintf("%s on %s", u.Origin, u.Server))
	}
	if len(zones) > 0 {
		parts = append(parts, "update "+text.List(zones, 2))
	}
	for _, u := range s.Units {
		parts = append(parts, acted(u))
	}
	return strings.Join(parts, "; ")
}

// outlineFiles says what happens to files: those that are there are named, new ones
// counted where there are many.
func (s StageChanges) outlineFiles(made map[state.Path]bool) []string {
	byOp := map[Op][]string{}
	keys := 0
	for _, c := range s.Changes {
		was := made[c.Path]
		made[c.Path] = was || c.Before.Kind == state.Absent && c.Op != Later
		switch {
		case was, strings.HasPrefix(string(c.Path)+"/", string(state.OwnDir)+"/"):
		case c.Op == Create && c.After.Secret:
			keys++
		default:
			op := c.Op
			if op == Later {
				op = Modify
			}
			byOp[op] = append(byOp[op], string(c.Path))
		}
	}
	var parts []string
	for _, k := range []struct {
		op   Op
		does string
	}{{Modify, "change "}, {Meta, "set owner or mode of "}, {Remove, "remove "}} {
		if len(byOp[k.op]) > 0 {
			parts = append(parts, k.does+text.List(byOp[k.op], 2))
		}
	}
	if keys > 0 {
		parts = append(parts, "make "+text.CountOf(keys, "private key", "private keys"))
	}
	switch files := byOp[Create]; {
	case len(files) > 1:
		parts = append(parts, "make "+text.Count(len(files), "file"))
	case len(files) == 1:
		parts = append(parts, "make "+files[0])
	case len(byOp[Mkdir]) > 0 && len(parts) == 0:
		parts = append(parts, "make "+text.CountOf(len(byOp[Mkdir]), "directory", "directories"))
	}
	return parts
}

// noteLines prints notes, each cut to a line, in no more than the lines given.
func (t *printer) noteLines(notes []state.Note, room int) {
	if len(notes) == 0 || room < 1 {
		return
	}
	shown := min(len(notes), room)
	if shown < len(notes) {
		shown--
	}
	for _, n := range notes[:shown] {
		line := []rune(text.Printable(strings.Join(strings.Fields(n.Topic+": "+n.Text), " ")))
		if len(line) > width-4 {
			cut := string(line[:width-4-4])
			line = []rune(cut[:max(strings.LastIndexByte(cut, ' '), 0)] + " ...")
		}
		t.line("  " + t.paint(cyan, "*") + " " + string(line))
	}
	if more := len(notes) - shown; more > 0 {
		t.line("  and " + text.CountOf(more, "more note", "more notes"))
	}
}

// firstLines keeps the first lines of a text. Where it has more, the last of them says so.
func firstLines(what string, lines int) string {
	all := strings.SplitAfter(what, "\n")
	if n := len(all) - 1; n > lines {
		return strings.Join(all[:lines-1], "") + "  and " + text.CountOf(n-lines+1, "more line", "more lines") + "\n"
	}
	return what
}
