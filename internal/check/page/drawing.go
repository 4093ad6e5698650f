package page

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"mailsetup/internal/check/finding"
)

// chapter is pictures of one sort.
type chapter struct {
	ID, Title, Text string
	Pictures        []drawing
	More            int
}

// drawing is one picture, an SVG with a text for who does not see it.
type drawing struct {
	ID      string // of the picture in the page
	Title   string
	Caption string
	Text    string // the whole picture in words
	// Width is that of its coordinates; with 0 it is as wide as the page, and they are
	// in percent.
	Width, Height int
	Lines         []line
	Bars          []bar
	Marks         []mark
	Labels        []label
	Code          string // to be copied, below it
}

type line struct{ X1, Y1, X2, Y2, Class string }

type bar struct{ X, Y, Width, Height, Class string }

// mark is a sign of a severity, which is not told by colour alone.
type mark struct {
	X, Y     string
	Severity finding.Severity
}

type label struct {
	X, Y, Class, Text string
}

func px(n int) string { return fmt.Sprint(n) }

func percent(f float64) string { return fmt.Sprintf("%.2f%%", f) }

// narrow is the width of pictures that fit on a phone; letterWidth is that of a letter
// of their texts, which is wide since the font of the reader is not known.
const narrow, letterWidth = 320, 7.2

// wrap breaks a text at spaces, dots and colons, where a line has room for width units.
func wrap(s string, width int) []string {
	most := max(8, int(float64(width)/letterWidth))
	var lines []string
	for s = strings.Join(strings.Fields(s), " "); utf8.RuneCountInString(s) > most; {
		runes := []rune(s)
		at := most
		for i := most; i > most/3; i-- {
			if runes[i] == ' ' || strings.ContainsRune(".:,/;", runes[i-1]) {
				at = i
				break
			}
		}
		lines = append(lines, strings.TrimSpace(string(runes[:at])))
		s = strings.TrimSpace(string(runes[at:]))
	}
	return append(lines, s)
}

// limit cuts a text that others wrote.
func limit(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
