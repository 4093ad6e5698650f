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

// LimitPerTopic keeps the first most notes of each topic, and says how many more there
// are.
func LimitPerTopic(notes []state.Note, most int) []state.Note {
	count := map[string]int{}
	for _, n := range notes {
		count[n.Topic]++
	}
	shown := map[string]int{}
	var out []state.Note
	for _, n := range notes {
		switch shown[n.Topic]++; {
		case shown[n.Topic] <= most:
			out = append(out, n)
		case shown[n.Topic] == count[n.Topic]:
			out = append(out, state.Note{
				Topic: n.Topic, Text: fmt.Sprintf("and %d more of this kind", count[n.Topic]-most), Action: "--json lists them all",
			})
		}
	}
	return out
}

// Typed returns notes whose commands are as they have to be typed.
func Typed(notes []state.Note, t hint.Typed) []state.Note {
	notes = slices.Clone(notes)
	for i, n := range notes {
		if n.Action != "" && !strings.Contains(n.Action, "\n") { // no records to paste
			notes[i].Action = t.Lines([]string{n.Action})[0]
		}
	}
	return notes
}

// OneLineNotes returns the notes that a plan on the screen can hold; records to paste
// come at the end of the run.
func OneLineNotes(notes []state.Note) []state.Note {
	return slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return strings.Contains(n.Action, "\n") })
}

// WriteNotes prints notes. Text to paste is not indented: in a zone file, leading white
// space would mean the owner name of the line above.
func WriteNotes(w io.Writer, notes []state.Note) {
	for _, n := range notes {
		lines := text.Wrap(n.Topic+": "+n.Text, 74)
		fmt.Fprintf(w, "  * %s\n", strings.ReplaceAll(lines, "\n", "\n    "))
		switch {
		case strings.Contains(n.Action, "\n"):
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
	for _, n := range ns {
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
