// Package text lays out what people read in a terminal: wrapped lines, columns,
// counts, ages.
package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Printable writes control characters and bytes that are no UTF-8 as \xNN, so
// that a terminal does not obey what others wrote into a file or into DNS. A
// tab stays.
func Printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch _, size := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02x", s[i])
		case r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) || r == '\t':
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\x%02x", r)
		}
	}
	return b.String()
}

// PrintableLines is Printable for a text of several lines: they stay lines.
func PrintableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Printable(l)
	}
	return strings.Join(lines, "\n")
}
