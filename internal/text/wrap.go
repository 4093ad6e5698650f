package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wrap breaks the lines of s at white space so that none has more than width
// columns, unless a single word has: names are never broken at their dots. Line
// ends stay, and so does the width of gaps inside a line. White space at the
// beginning and the end of a line goes.
func Wrap(s string, width int) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = wrapLine(line, width)
	}
	return strings.Join(lines, "\n")
}

func wrapLine(line string, width int) string {
	var out strings.Builder
	column := 0
	for line != "" {
		rest := strings.TrimLeftFunc(line, unicode.IsSpace)
		gap := utf8.RuneCountInString(line[:len(line)-len(rest)])
		word := rest
		if end := strings.IndexFunc(rest, unicode.IsSpace); end >= 0 {
			word = rest[:end]
		}
		line = rest[len(word):]
		columns := utf8.RuneCountInString(word)
		switch {
		case word == "" || column == 0:
		case column+gap+columns > width:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteString(strings.Repeat(" ", gap))
			column += gap
		}
		out.WriteString(word)
		column += columns
	}
	return out.String()
}

// Indent moves every line that is not empty to the right.
func Indent(s string, by int) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = strings.Repeat(" ", by) + l
		}
	}
	return strings.Join(lines, "\n")
}

// ExpandTabs replaces tabs by the spaces that a terminal shows for them, and
// takes white space off the end of the line.
func ExpandTabs(line string) string {
	var b strings.Builder
	column := 0
	for _, r := range strings.TrimRight(line, " \t\r") {
		n := 1
		if r == '\t' {
			n, r = 8-column%8, ' '
		}
		b.WriteString(strings.Repeat(string(r), n))
		column += n
	}
	return b.String()
}

// Cut cuts a line at spaces, or inside a word that is too long, so that the
// first piece has at most first columns and the others have at most rest.
func Cut(line string, first, rest int) []string {
	var out []string
	for room := first; utf8.RuneCountInString(line) > room; room = rest {
		runes := []rune(line)
		head := string(runes[:room+1])
		at := strings.LastIndexByte(head, ' ')
		if strings.TrimSpace(head[:max(at, 0)]) == "" {
			at = len(string(runes[:room]))
		}
		out = append(out, strings.TrimRight(line[:at], " "))
		line = strings.TrimLeft(line[at:], " ")
	}
	return append(out, line)
}
