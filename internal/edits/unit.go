package edits

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Assignment is one name=value of a unit file, systemd.syntax(7).
type Assignment struct {
	Section, Name string
	Value         string // lines that go on are joined; "" clears a list
	Line          int    // where it begins, from 1
}

// Assignments parses a unit file. Lines before the first section have no effect, as in
// systemd.
func Assignments(text []byte) []Assignment {
	var all []Assignment
	for _, l := range unitLines(string(text)) {
		if l.assignmentLine > 0 && l.assignmentLine == l.number {
			all = append(all, Assignment{Section: l.section, Name: l.name, Value: l.value, Line: l.number})
		} else if l.assignmentLine > 0 {
			last := &all[len(all)-1]
			last.Value = strings.TrimSpace(last.Value + " " + l.value)
		}
	}
	return all
}

// Service returns the value of a setting of [Service] in the files of a unit, in order:
// the last assignment counts, and an empty one resets it.
func Service(name string, files ...[]byte) string {
	value := ""
	for _, text := range files {
		for _, a := range Assignments(text) {
			if a.Section == "Service" && a.Name == name {
				value = a.Value
			}
		}
	}
	return value
}

// Unit returns the drop-in of a unit without the assignments of the section [Service]
// that the edit drops. Comments stay, even between lines of a dropped assignment.
func Unit(e state.UnitEdit, current []byte) []byte {
	gone := map[int]bool{}
	for _, a := range Assignments(current) {
		if a.Section == "Service" && slices.Contains(e.Drop, a.Name) {
			gone[a.Line] = true
		}
	}
	var b strings.Builder
	for _, l := range unitLines(string(current)) {
		if !gone[l.assignmentLine] {
			b.WriteString(l.text)
		}
	}
	return []byte(b.String())
}

// unitLine is a physical line, and the assignment that it is part of.
type unitLine struct {
	text, section, name, value string
	number                     int
	assignmentLine             int // the line where its assignment begins; 0 for none
}

// unitLines parses lines. A line that ends in a backslash is continued by the next line
// that is not a comment.
func unitLines(text string) []unitLine {
	var lines []unitLine
	section, of := "", 0
	for raw := range strings.Lines(text) {
		l := unitLine{text: raw, number: len(lines) + 1}
		content := strings.TrimRight(raw, "\r\n")
		trimmed := strings.TrimLeft(content, " \t")
		switch {
		case strings.HasPrefix(trimmed, "#"), strings.HasPrefix(trimmed, ";"):
			lines = append(lines, l)
			continue // and leaves a line that goes on going on
		case of > 0:
			l.assignmentLine, l.value = of, trimmed
		case strings.HasPrefix(trimmed, "["):
			section, _, _ = strings.Cut(trimmed[1:], "]")
		default:
			if name, value, ok := strings.Cut(trimmed, "="); ok && section != "" {
				l.assignmentLine, l.section, l.name, l.value = l.number, section, strings.TrimSpace(name), value
			}
		}
		of = 0
		if l.assignmentLine > 0 && continues(content) {
			of = l.assignmentLine
			l.value = strings.TrimSuffix(l.value, "\\")
		}
		l.value = strings.TrimSpace(l.value)
		lines = append(lines, l)
	}
	return lines
}

// continues reports whether a line ends in a backslash that is not itself escaped.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, "\\"))
	return n%2 == 1
}
