package plan

import (
	"fmt"
	"path"
	"strings"

	"mailsetup/internal/state"
)

// A plan about many domains says the same many times. Of a long row of changes
// that are alike the first are printed, and how many more there are; --json has
// them all.
const (
	foldFrom = 6 // as many are folded
	foldTo   = 3 // as many are printed then
)

// A table of many rows gets as many at once: of a row of lines that are all new,
// or all gone, these are printed.
const (
	foldLinesFrom = 80 // a whole file of a domain is shorter
	foldLinesTo   = 10
)

// folded shortens long rows of one kind in the lines of a unified diff.
func folded(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); {
		end := i
		for end < len(lines) && kindOfLine(lines[end]) == kindOfLine(lines[i]) {
			end++
		}
		row := lines[i:end]
		if len(row) >= foldLinesFrom && kindOfLine(row[0]) != ' ' {
			more := len(row) - foldLinesTo
			row = append(row[:foldLinesTo:foldLinesTo], fmt.Sprintf("%c… and %d more lines", row[0][0], more))
		}
		out = append(out, row...)
		i = end
	}
	return out
}

// kindOfLine returns + or - for added or removed lines of a diff, else a space.
func kindOfLine(l string) byte {
	if l == "" || l[0] != '+' && l[0] != '-' || strings.HasPrefix(l, "+++ ") || strings.HasPrefix(l, "--- ") {
		return ' '
	}
	return l[0]
}

// runs groups consecutive changes that are similar.
func runs(cs []Change) [][]Change {
	var rows [][]Change
	for i, c := range cs {
		if i > 0 && similar(cs[i-1], c) {
			rows[len(rows)-1] = append(rows[len(rows)-1], c)
			continue
		}
		rows = append(rows, []Change{c})
	}
	return rows
}

// similar reports whether two changes do the same for the same reason to files that
// differ only in the name of a domain or key, in one directory or in sibling
// directories.
func similar(a, b Change) bool {
	if a.Op != b.Op || a.After.Kind != b.After.Kind || a.Before.Kind != b.Before.Kind ||
		a.After.Mode != b.After.Mode || a.After.Owner != b.After.Owner {
		return false
	}
	x, y := strings.Split(string(a.Path), "/"), strings.Split(string(b.Path), "/")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && (i < len(x)-2 || i < 3) { // "", "etc", "bind"
			return false
		}
	}
	nameA, form := nameAndForm(a)
	nameB, other := nameAndForm(b)
	return form == other && strings.ReplaceAll(a.Why, nameA, "…") == strings.ReplaceAll(b.Why, nameB, "…")
}

// nameAndForm returns what a changed file is named after, and the rest of its name as a
// pattern: *.toml, db.*, * for a directory.
func nameAndForm(c Change) (name, form string) {
	name, ext := path.Base(string(c.Path)), ""
	prefix := ""
	if rest, found := strings.CutPrefix(name, "db."); found {
		name, prefix = rest, "db."
	} else if c.After.Kind != state.Directory && c.Before.Kind != state.Directory {
		ext = path.Ext(name)
		name = strings.TrimSuffix(name, ext)
	}
	return name, prefix + "*" + ext
}
