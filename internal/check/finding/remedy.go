package finding

import (
	"slices"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

// Remedy is what to do about a finding, line by line.
type Remedy []Line

// Line is one line of a remedy.
type Line struct {
	Kind LineKind `json:"kind"` // a command for a shell as it stands, a record as in a zone file, or a sentence
	Text string   `json:"text"`
}

// LineKind says what can be done with a line.
type LineKind string

// The kinds of lines.
const (
	LineCommand LineKind = "command" // pasted into a shell as it stands
	LineRecord  LineKind = "record"  // pasted into a zone file
	LineText    LineKind = "text"    // what no command does, or what a command is for
)

// literal is a text of this program: only a constant becomes one outside of this package,
// so that nothing of others is part of a command unquoted.
type literal string

// Command returns a command to type, whose %s stand for words: each is quoted for a
// shell, and the last %s takes all that are left, or with "--ip %s --ip …" each its
// option. A word that no shell line can hold, or that would be an option, leaves a text
// in place of the command.
func Command(line literal, words ...string) Remedy { return Remedy(nil).Command(line, words...) }

// Record returns a record to publish, as in a zone file.
func Record(line string) Remedy { return Remedy(nil).Record(line) }

// Text returns a sentence, without the full stop.
func Text(line string) Remedy { return Remedy(nil).Text(line) }

// Command adds a command: see the function.
func (r Remedy) Command(line literal, words ...string) Remedy {
	between := " "
	if rest, repeats := strings.CutSuffix(string(line), " …"); repeats {
		at := strings.LastIndex(rest, " --")
		line, between = literal(rest[:at]), rest[at:]+" "
	}
	parts := strings.Split(string(line), "%s")
	last := len(parts) - 2 // what is before the last %s
	fits := len(words) > last && (last >= 0 || len(words) == 0) && !slices.ContainsFunc(words, func(w string) bool {
		return text.Printable(w) != w || strings.HasPrefix(w, "-")
	})
	var b strings.Builder
	for i, p := range parts {
		b.WriteString(p)
		switch {
		case i < last && i < len(words):
			b.WriteString(hint.Quote(words[i]))
		case i == last && i < len(words):
			b.WriteString(hint.Quote(words[i]))
			for _, w := range words[i+1:] {
				b.WriteString(between + hint.Quote(w))
			}
		}
	}
	if !fits {
		return r.Text("by hand, since a name in it is none that a shell can be given: " + b.String())
	}
	return append(slices.Clip(r), Line{LineCommand, b.String()})
}

// Record adds a record: see the function.
func (r Remedy) Record(line string) Remedy { return r.add(LineRecord, line) }

// Text adds a sentence: see the function.
func (r Remedy) Text(line string) Remedy { return r.add(LineText, line) }

func (r Remedy) add(kind LineKind, line string) Remedy {
	if line == "" {
		return r
	}
	return append(slices.Clip(r), Line{kind, text.Printable(line)})
}

// Records returns several records to publish.
func Records(lines ...string) Remedy { return Remedy(nil).Records(lines...) }

// Records adds several records.
func (r Remedy) Records(lines ...string) Remedy {
	for _, l := range lines {
		r = r.Record(l)
	}
	return r
}

// Then adds another remedy.
func (r Remedy) Then(other Remedy) Remedy { return append(slices.Clip(r), other...) }

// Advice returns what another package says in a line of prose that may be a command, or
// end in one: "publish it: mailsetup dns lab.example".
func Advice(lines ...string) Remedy {
	var r Remedy
	for _, l := range lines {
		what, command, ends := strings.Cut(l, ": ")
		switch {
		case !strings.HasPrefix(l, "mailsetup ") && isPlain(l): // "mailsetup list shows …" may be prose
			r = append(r, Line{LineCommand, l})
		case ends && isPlain(command):
			r = append(r.Text(what+":"), Line{LineCommand, command})
		default:
			r = r.Text(l)
		}
	}
	return r
}

// isPlain reports whether a line is a command of words that a shell takes as they are.
func isPlain(line string) bool {
	words := strings.Split(line, " ")
	return text.IsCommand(line) && !slices.ContainsFunc(words, func(w string) bool { return w != "&&" && hint.Quote(w) != w })
}

// Overwriting returns the remedy with the flag by which mailsetup init overwrites files
// that somebody edited, and their names.
func (r Remedy) Overwriting(files []string) Remedy {
	out := slices.Clone(r)
	for i, l := range out {
		if l.Kind == LineCommand && strings.HasPrefix(l.Text, "mailsetup init") {
			out[i].Text += " --overwrite-drift"
		}
	}
	if slices.Equal(out, r) {
		return r
	}
	return out.Text("it overwrites what somebody edited: " + text.List(files, 3))
}

// String returns the lines.
func (r Remedy) String() string {
	lines := make([]string, len(r))
	for i, l := range r {
		lines[i] = l.Text
	}
	return strings.Join(lines, "\n")
}
