package plan

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// summaryLines is the height of a summary that leaves room for a question on a screen
// of 24 lines.
const summaryLines = 16

// Summary prints the plan in at most 16 lines: numbers, and as many paths as
// fit.
func (p Plan) Summary(w io.Writer) error {
	t := &printer{}
	if p.Empty() {
		t.line("Nothing to do: everything is as it should be.")
	} else {
		if parts := p.counts(); len(parts) > 0 {
			t.wrap(0, strings.Join(parts, ", ")+".")
		}
		p.removals(t)
		p.unitLine(t)
	}
	if len(p.Drift) > 0 {
		t.line(fmt.Sprintf("%s a text that is not mailsetup's; see the plan.", text.CountOf(len(p.Drift), "file has", "files have")))
	}
	if len(p.Notes) > 0 {
		t.line(fmt.Sprintf("%s for you at the end of the plan.", text.CountOf(len(p.Notes), "note", "notes")))
	}
	head := firstLines(t.buf.String(), summaryLines)
	_, err := io.WriteString(w, head+p.paths(summaryLines-strings.Count(head, "\n")))
	return err
}

// counts returns how many changes of each kind there are.
func (p Plan) counts() []string {
	n := map[Op]int{}
	packages, derived, zones := 0, 0, 0
	for _, st := range p.Stages {
		packages += len(st.Packages)
		derived += len(st.Derived)
		zones += len(st.Updates)
		for _, c := range st.Changes {
			n[c.Op]++
		}
	}
	var parts []string
	for _, k := range []struct {
		n        int
		one, all string
	}{
		{packages, "package to install", "packages to install"},
		{n[Mkdir], "directory to make", "directories to make"},
		{n[Create], "file to create", "files to create"},
		{n[Modify], "file to change", "files to change"},
		{n[Later], "file to change once it is installed", "files to change once they are installed"},
		{n[Meta], "owner or mode to set", "owners or modes to set"},
		{n[Remove], "file to remove", "files to remove"},
		{derived, "file to make again", "files to make again"},
		{zones, "zone to update", "zones to update"},
	} {
		if k.n > 0 {
			parts = append(parts, text.CountOf(k.n, k.one, k.all))
		}
	}
	return parts
}

func (p Plan) removals(t *printer) {
	var gone []string
	for _, st := range p.Stages {
		gone = append(gone, st.Uninstall...)
	}
	if len(gone) > 0 {
		t.wrap(0, "apt REMOVES: "+strings.Join(gone, " "))
	}
}

func (p Plan) unitLine(t *printer) {
	seen := map[string]bool{}
	var names []string
	for _, st := range p.Stages {
		for _, u := range st.Units {
			name := acted(u)
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		t.wrap(0, "Units: "+strings.Join(names, ", ")+".")
	}
}

// paths lists changed paths in at most the given number of lines, existing ones first.
func (p Plan) paths(lines int) string {
	var rows, added []string
	made := map[state.Path]bool{}
	for _, st := range p.Stages {
		// What an earlier stage made, and this one changes, was listed.
		listed := slices.DeleteFunc(slices.Clone(st.Changes), func(c Change) bool { return made[c.Path] })
		for _, row := range runs(listed) {
			for _, c := range row {
				made[c.Path] = made[c.Path] || c.Before.Kind == state.Absent && c.Op != Later
			}
			more := ""
			if len(row) >= foldFrom {
				row, more = row[:1], fmt.Sprintf(" and %d more like it", len(row)-1)
			}
			for _, c := range row {
				symbol, _ := sign(c)
				line := "  " + symbol + " " + text.Printable(string(c.Path)) + more
				if c.Before.Kind == state.Absent && c.Op != Later {
					added = append(added, line)
				} else {
					rows = append(rows, line)
				}
			}
		}
	}
	rows = append(rows, added...)
	if lines < 1 || len(rows) == 0 {
		return ""
	}
	if len(rows) > lines {
		more := len(rows) - lines + 1
		rows = append(rows[:lines-1], fmt.Sprintf("  and %d more", more))
	}
	return strings.Join(rows, "\n") + "\n"
}

// firstLines returns the first lines of a text.
func firstLines(text string, lines int) string {
	all := bytes.SplitAfter([]byte(text), []byte("\n"))
	return string(bytes.Join(all[:min(lines, len(all))], nil))
}
