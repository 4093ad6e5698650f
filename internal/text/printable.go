// Package text lays out what people read in a terminal: wrapped lines, columns,
// counts, ages.
package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Printable writes control characters and bytes that are no UTF-8 as \xNN, or as
// \uNNNN where JSON would not escape them, so that a terminal does not obey what
// others wrote into a file or into DNS. So are characters that reorder or hide what is
// beside them (UAX #9): nobody agrees to what only looks right. A tab stays.
func Printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, isControl) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch _, size := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02x", s[i])
		case !isControl(r):
			b.WriteRune(r)
		case r > ' ':
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			fmt.Fprintf(&b, "\\x%02x", r)
		}
	}
	return b.String()
}

// isControl reports whether a terminal may obey the character, or show others elsewhere
// for it.
func isControl(r rune) bool {
	return r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f || r == 0x61c || r == 0x200b || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

// PrintableLines is Printable for a text of several lines: they stay lines.
func PrintableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Printable(l)
	}
	return strings.Join(lines, "\n")
}
