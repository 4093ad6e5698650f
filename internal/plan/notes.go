package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// byTopic groups notes by topic, in the order in which the topics first occur, and
// drops duplicates.
func byTopic(notes []state.Note) []state.Note {
	first := map[string]int{}
	said := make(map[state.Note]bool, len(notes))
	var out []state.Note
	for _, n := range notes {
		if _, old := first[n.Topic]; !old {
			first[n.Topic] = len(first)
		}
		if !said[n] {
			said[n] = true
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b state.Note) int { return first[a.Topic] - first[b.Topic] })
	return out
}

// LimitPerTopic keeps the first most notes of each topic, three of those that say the same
// of many domains, and says how many more there are. Records to paste are there for as many
// as may be pasted by hand.
func LimitPerTopic(notes []state.Note, most int) []state.Note {
	alike, count := map[state.Note]int{}, map[string]int{}
	for _, n := range notes {
		alike[alikeNote(n)]++
		count[n.Topic]++
	}
	met, seen, shown := map[string]int{}, map[state.Note]int{}, map[string]int{}
	var out []state.Note
	for _, n := range notes {
		k, limit := alikeNote(n), most
		if many := alike[k]; many > most || many >= manyAlike && !pasted(n) {
			limit = examples
		}
		if seen[k]++; seen[k] <= limit && shown[n.Topic] < most {
			shown[n.Topic]++
			out = append(out, n)
		}
		met[n.Topic]++
		if more := count[n.Topic] - shown[n.Topic]; more > 0 && met[n.Topic] == count[n.Topic] {
			rest := state.Note{Topic: n.Topic, Text: fmt.Sprintf("and %d more of this kind", more), Action: "--json lists them all"}
			if pasted(n) {
				rest.Action = "mailsetup dns prints the records of all domains"
			}
			out = append(out, rest)
		}
	}
	return out
}

// alikeNote returns what notes have in common that say the same of different domains.
func alikeNote(n state.Note) state.Note {
	return state.Note{Topic: n.Topic, Text: names.ReplaceAllString(n.Text, "…"), Informational: n.Informational, Doubt: n.Doubt}
}

// pasted reports whether a note has records to paste.
func pasted(n state.Note) bool { return strings.Contains(n.Action, "\n") }

// Typed returns notes whose commands are as they have to be typed.
func Typed(notes []state.Note, t hint.Typed) []state.Note {
	notes = slices.Clone(notes)
	for i, n := range notes {
		if n.Action != "" && !pasted(n) {
			notes[i].Action = t.Lines([]string{n.Action})[0]
		}
	}
	return notes
}

// OneLineNotes returns the notes that a plan on the screen can hold; records to paste
// come at the end of the run.
func OneLineNotes(notes []state.Note) []state.Note {
	return slices.DeleteFunc(slices.Clone(notes), pasted)
}

// WriteNotes prints notes. Text to paste is not indented: in a zone file, leading white
// space would mean the owner name of the line above.
func WriteNotes(w io.Writer, notes []state.Note) {
	for _, n := range notes {
		lines := text.Wrap(n.Topic+": "+n.Text, 74)
		fmt.Fprintf(w, "  * %s\n", strings.ReplaceAll(lines, "\n", "\n    "))
		switch {
		case pasted(n):
			fmt.Fprintf(w, "\n%s\n\n", strings.TrimRight(n.Action, "\n"))
		case n.Action != "":
			fmt.Fprintf(w, "      %s\n", strings.Join(text.WrapAction(n.Action, 74), "\n      "))
		}
	}
}

func (t *printer) notes(ns []state.Note) {
	if len(ns) == 0 {
		return
	}
	t.line("")
	t.line(t.paint(bold, "Notes"))
	for _, n := range LimitPerTopic(ns, 20) {
		t.note(n)
	}
}

func (t *printer) note(n state.Note) {
	t.hang("*", cyan, n.Topic+": "+n.Text)
	for l := range strings.SplitSeq(strings.TrimSuffix(n.Action, "\n"), "\n") {
		if l != "" {
			t.line("        " + strings.Join(text.WrapAction(text.Printable(l), width-8), "\n        "))
		}
	}
}

// NoteLines returns notes as lines for standard error, without what has to be pasted.
func NoteLines(notes []state.Note) []string {
	var lines []string
	for _, n := range notes {
		lines = append(lines, strings.ReplaceAll(text.Wrap(n.Topic+": "+n.Text, 76), "\n", "\n  "))
		if n.Action != "" && !strings.Contains(n.Action, "\n") {
			lines = append(lines, "  "+n.Action)
		}
	}
	return lines
}
