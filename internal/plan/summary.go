package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// summaryLines bounds what a summary says of stages and notes: with the answers above
// and a question below, that is what a person takes in at a glance.
const summaryLines = 20

// screenLines are those of a small terminal, 24, without the lines of the question: a plan
// about many domains says so much in as many lines, unless more would change there than is
// made.
const screenLines = 24 - 7

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
	last := min(len(others), 1)
	room := summaryLines
	if p.Repeats() {
		room = min(room, screenLines-strings.Count(t.buf.String(), "\n"))
	}
	head := p.outlineWithin(room-last, summaryLines-last, o)
	t.buf.WriteString(head)
	if o.WholeNotes {
		t.notes(others)
	} else {
		t.noteLines(others, max(room-strings.Count(head, "\n"), last))
	}
	_, err := w.Write(t.buf.Bytes())
	return err
}

// Preview prints a plan that is not carried out: all of it, or where it repeats itself the
// summary, with what would need a consent and what would be overwritten in full.
func (p Plan) Preview(w io.Writer, o TextOptions) error {
	if !p.Repeats() {
		return p.Text(w, o)
	}
	if err := p.Summary(w, o); err != nil {
		return err
	}
	t := &printer{color: o.Color, to: w}
	t.drifts(p.Drift)
	t.questions(p.Questions)
	t.line("")
	t.wrap(2, "--verbose shows the whole plan, with every difference; --json has it as data.")
	t.flush()
	return t.err
}

// outlineWithin returns what each stage does, without examples of what is made where they
// would take more than so many lines, and cut at most.
func (p Plan) outlineWithin(lines, most int, o TextOptions) string {
	t := &printer{color: o.Color}
	if t.outline(p); strings.Count(t.buf.String(), "\n") > lines {
		t = &printer{color: o.Color, brief: true}
		t.outline(p)
	}
	return firstLines(t.buf.String(), most)
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
		if does := st.outline(made, t.brief); does != "" {
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
func (s StageChanges) outline(made map[state.Path]bool, brief bool) string {
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
	parts = append(parts, s.outlineFiles(made, brief)...)
	for _, d := range s.Derived {
		parts = append(parts, "make "+string(d.Path)+" anew")
	}
	var zones []string
	for _, u := range s.Updates {
		zones = append(zones, fmt.Sprintf("%s on %s", u.Origin, u.Server))
	}
	if len(zones) > 0 {
		parts = append(parts, "update "+text.List(zones, examples))
	}
	for _, u := range s.Units {
		parts = append(parts, acted(u))
	}
	return strings.Join(parts, "; ")
}

// outlineFiles says what happens to files. Those that are there are named, but where many
// change alike; new ones are counted.
func (s StageChanges) outlineFiles(made map[state.Path]bool, brief bool) []string {
	var told []Change
	for _, c := range s.Changes {
		was := made[c.Path]
		made[c.Path] = was || c.Before.Kind == state.Absent && c.Op != Later
		if !was && !strings.HasPrefix(string(c.Path)+"/", string(state.OwnDir)+"/") {
			told = append(told, c)
		}
	}
	few, many := map[string][]Change{}, map[string][]string{}
	for _, k := range kinds(told) {
		switch does := doing(k[0]); {
		case len(k) < manyAlike:
			few[does] = append(few[does], k...)
		default:
			many[does] = append(many[does], counted(k, brief && strings.HasPrefix(does, makes)))
		}
	}
	var parts []string
	for _, does := range []string{changes, setsMeta, removes} {
		var names []string
		for _, c := range few[does] {
			names = append(names, string(c.Path))
		}
		if names = append(names, many[does]...); len(names) > 0 {
			parts = append(parts, does+strings.Join(names, ", "))
		}
	}
	if keys := len(few[makesKey]); keys > 0 {
		parts = append(parts, makes+text.CountOf(keys, "private key", "private keys"))
	}
	switch files := few[makes]; {
	case len(files) > 1:
		parts = append(parts, makes+text.Count(len(files), "file"))
	case len(files) == 1:
		parts = append(parts, makes+string(files[0].Path))
	}
	for _, what := range slices.Concat(many[makesKey], many[makes]) {
		parts = append(parts, makes+what)
	}
	if len(parts) > 0 { // directories are told where they are all
		return parts
	}
	if dirs := len(few[makesDir]); dirs > 0 {
		parts = append(parts, makes+text.CountOf(dirs, "directory", "directories"))
	}
	for _, what := range many[makesDir] {
		parts = append(parts, makes+what)
	}
	return parts
}

// What a summary says of a change.
const (
	changes  = "change "
	setsMeta = "set owner or mode of "
	removes  = "remove "
	makes    = "make "
	makesKey = "make key"
	makesDir = "make directory"
)

// doing returns which of these a change does.
func doing(c Change) string {
	switch c.Op {
	case Modify, Later:
		return changes
	case Meta:
		return setsMeta
	case Remove:
		return removes
	case Mkdir:
		return makesDir
	}
	if c.After.Secret {
		return makesKey
	}
	return makes
}

// noteLines prints notes, each cut to a line, in no more than the lines given. Those that say
// the same of many domains have one.
func (t *printer) noteLines(notes []state.Note, room int) {
	alike := map[state.Note]int{}
	for _, n := range notes {
		alike[alikeNote(n)]++
	}
	var lines []string
	left := len(notes)
	for _, n := range notes {
		k, tail := alikeNote(n), ""
		many := alike[k]
		switch {
		case many == 0:
			continue
		case many >= manyAlike:
			alike[k], tail = 0, fmt.Sprintf(" (and %d more)", many-1)
		default:
			many = 1
		}
		if len(lines)+1 == room && left > many || len(lines) == room {
			break
		}
		lines = append(lines, cutLine(n.Topic+": "+n.Text, width-4-len(tail))+tail)
		left -= many
	}
	for _, line := range lines {
		t.line("  " + t.paint(cyan, "*") + " " + line)
	}
	if left > 0 {
		t.line("  and " + text.CountOf(left, "more note", "more notes"))
	}
}

// cutLine returns a text on one line, cut at a space where it is longer.
func cutLine(what string, columns int) string {
	line := []rune(text.Printable(strings.Join(strings.Fields(what), " ")))
	if len(line) <= columns {
		return string(line)
	}
	cut := string(line[:columns-len(" ...")])
	return cut[:max(strings.LastIndexByte(cut, ' '), 0)] + " ..."
}

// firstLines keeps the first lines of a text. Where it has more, the last of them says so.
func firstLines(what string, lines int) string {
	all := strings.SplitAfter(what, "\n")
	if n := len(all) - 1; n > lines {
		return strings.Join(all[:lines-1], "") + "  and " + text.CountOf(n-lines+1, "more line", "more lines") + "\n"
	}
	return what
}
