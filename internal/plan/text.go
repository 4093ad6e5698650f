package plan

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// TextOptions choose how a plan is printed.
type TextOptions struct {
	Color bool // ANSI colours
	Diff  bool // unified diffs of contents
	// WholeNotes are those of a summary where nobody is asked for more.
	WholeNotes bool
}

// width is the number of columns of the output, contents of files apart.
const width = 80

// Text prints the whole plan for a person, stage by stage. Private keys are named, never
// shown.
func (p Plan) Text(w io.Writer, o TextOptions) error {
	t := &printer{color: o.Color, diff: o.Diff, to: w}
	t.answers(p.Answers)
	if p.Empty() {
		t.line("Nothing to do: everything is as it should be.")
	}
	for i, st := range p.Stages {
		if i > 0 {
			t.line("")
		}
		t.stage(st)
	}
	t.drifts(p.Drift)
	t.questions(p.Questions)
	t.notes(p.Notes)
	t.flush()
	return t.err
}

type printer struct {
	buf         bytes.Buffer
	color, diff bool
	brief       bool // no examples

	to  io.Writer // of a text that may be long
	err error
}

// deliver writes what was printed so far, if that is much: with thousands of domains the
// text takes as much memory as all their files.
func (t *printer) deliver() {
	if t.buf.Len() > 64<<10 {
		t.flush()
	}
}

func (t *printer) flush() {
	if t.err == nil {
		_, t.err = t.to.Write(t.buf.Bytes())
	}
	t.buf.Reset()
}

// style is an SGR parameter of ECMA-48.
type style string

const (
	plain  style = ""
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

func (t *printer) paint(s style, text string) string {
	if !t.color || s == plain {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (t *printer) line(text string) { t.buf.WriteString(strings.TrimRight(text, " ") + "\n") }

// wrap prints text indented, broken at spaces to fit the width.
func (t *printer) wrap(indent int, text string) {
	for _, row := range rows(indent, text) {
		t.line(strings.Repeat(" ", indent) + row)
	}
}

// hang prints a symbol with a text beside it.
func (t *printer) hang(symbol string, s style, text string) {
	for i, row := range rows(4, text) {
		if i == 0 {
			t.line("  " + t.paint(s, symbol) + " " + row)
		} else {
			t.line("    " + row)
		}
	}
}

// rows breaks a text at spaces, so that it fits the width when indented.
func rows(indent int, what string) []string {
	var all []string
	for para := range strings.SplitSeq(what, "\n") {
		if para = text.Wrap(text.Printable(para), width-indent); para != "" {
			all = append(all, strings.Split(para, "\n")...)
		}
	}
	return all
}

func (t *printer) stage(st StageChanges) {
	t.line(t.paint(bold, st.Name))
	t.packages(st)
	for _, c := range st.Changes {
		t.change(c)
		t.deliver()
	}
	for _, d := range st.Derived {
		t.entry("~", yellow, string(d.Path), "made again from "+string(d.From))
	}
	for _, u := range st.Updates {
		t.update(u)
	}
	for _, u := range st.Units {
		t.entry(">", cyan, acted(u), u.Why)
	}
	if st.Checkpoint {
		t.wrap(2, "A later failure does not take this stage back.")
	}
}

// acted says what happens to a unit.
func acted(u state.Unit) string {
	what := string(u.Action) + " " + u.Name
	if u.NeedsDaemonReload { // its files are read again before, systemctl(1)
		return "daemon-reload, " + what
	}
	return what
}

func (t *printer) packages(st StageChanges) {
	for _, p := range st.Packages {
		t.entry("+", green, "package "+p.Name, p.Why)
	}
	if len(st.Install) > 0 {
		t.wrap(4, "apt installs: "+strings.Join(st.Install, " "))
	}
	if len(st.Uninstall) > 0 {
		t.wrap(4, "apt REMOVES: "+strings.Join(st.Uninstall, " "))
	}
}

// entry prints a symbol with what it stands for, and why below.
func (t *printer) entry(symbol string, s style, what, why string) {
	t.line("  " + t.paint(s, symbol+" "+text.Printable(what)))
	t.wrap(6, why)
}

// sign returns the symbol of a change.
func sign(c Change) (string, style) {
	switch c.Op {
	case Create, Mkdir:
		return "+", green
	case Remove:
		return "-", red
	}
	return "~", yellow
}

func (t *printer) change(c Change) {
	symbol, s := sign(c)
	name := string(c.Path)
	if c.After.Kind == state.Directory || c.Before.Kind == state.Directory {
		name += "/"
	}
	t.entry(symbol, s, name, c.Why)
	if meta := metaText(c); meta != "" {
		t.wrap(6, meta)
	}
	switch {
	case secret(c.Before) || secret(c.After):
		t.wrap(6, "private key, not shown")
	case c.Op == Later:
		t.wrap(6, "once its package is installed:")
		for _, l := range c.Settings {
			lines := rows(8, l)
			if len(lines) > 1 {
				lines = rows(8+2, l) // all but the first are indented further
			}
			for i, row := range lines {
				t.line(strings.Repeat(" ", 8+2*min(i, 1)) + row)
			}
		}
	case t.diff && !strings.HasPrefix(string(c.Path), string(OwnDir)+"/"): // our own memory, in no form for people
		t.unified(Diff(c.Path, c.Before, c.After))
	}
}

// metaText returns owner and mode where they are new or change.
func metaText(c Change) string {
	was, is := c.Before, c.After
	switch {
	case c.Op == Later || c.Op == Remove:
		return ""
	case was.Kind == state.Absent:
		return "owner " + is.Owner.String() + ", mode " + octal(is.Mode)
	}
	var parts []string
	if was.Owner != is.Owner {
		parts = append(parts, "owner "+was.Owner.String()+" → "+is.Owner.String())
	}
	if was.Mode != is.Mode {
		parts = append(parts, "mode "+octal(was.Mode)+" → "+octal(is.Mode))
	}
	return strings.Join(parts, ", ")
}

// octal writes a mode as chmod(1) takes it.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	return fmt.Sprintf("%04o", n)
}

func (t *printer) unified(diff string) {
	for l := range strings.SplitSeq(strings.TrimSuffix(diff, "\n"), "\n") {
		if l == "" {
			continue
		}
		s := plain
		switch {
		case strings.HasPrefix(l, "+"):
			s = green
		case strings.HasPrefix(l, "-"):
			s = red
		case strings.HasPrefix(l, "@@"):
			s = cyan
		}
		for i, row := range text.Cut(text.Printable(l), width-6, width-10) { // what is too long goes on further in
			t.buf.WriteString(strings.Repeat(" ", 6+4*min(i, 1)) + t.paint(s, row) + "\n")
		}
	}
}

func (t *printer) drifts(ds []Drift) {
	if len(ds) == 0 {
		return
	}
	t.line("")
	t.line(t.paint(bold, "Overwritten only with --overwrite-drift"))
	for _, d := range ds {
		t.entry("!", red, string(d.Path), d.Why)
	}
}
