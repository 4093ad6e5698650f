package plan

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// byTopic puts notes on one topic side by side, topics in the order in which
// they come up first, and drops what was said already.
func byTopic(notes []state.Note) []state.Note {
	first := map[string]int{}
	var out []state.Note
	for _, n := range notes {
		if _, old := first[n.Topic]; !old {
			first[n.Topic] = len(first)
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b state.Note) int { return first[a.Topic] - first[b.Topic] })
	return out
}

func (t *printer) notes(ns []state.Note) {
	if len(ns) == 0 {
		return
	}
	t.line("")
	t.line(t.paint(bold, "Notes"))
	for _, n := range ns {
		t.hang("*", cyan, n.Topic+": "+n.Text)
		for l := range strings.SplitSeq(strings.TrimSuffix(n.Do, "\n"), "\n") {
			if l != "" {
				t.line("        " + Printable(l))
			}
		}
	}
}
