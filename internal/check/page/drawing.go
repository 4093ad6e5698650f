package page

import (
	"fmt"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
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

// narrow is the width of pictures that fit on a phone.
const narrow = 320

// size is that of a text: small ones are not bold.
type size float64

const (
	bold  size = 1
	small size = 0.86
)

// width returns how wide a letter is at most, with a wide bold font of 13 pixels (DejaVu
// Sans): the font of the reader is not known.
func (s size) width(r rune) float64 {
	w := 11.0
	switch {
	case strings.ContainsRune("mwMW@%", r):
		w = 14.5
	case r >= 0x1100: // CJK
		w = 14
	case r >= 'a' && r <= 'z':
		w = 9.3
	case r >= '0' && r <= '9':
		w = 9.1
	case strings.ContainsRune(".,:; -/|'!()[]", r):
		w = 6
	}
	return w * float64(s)
}

// wrap breaks a text at spaces, dots and colons, where a line has no more room.
func wrap(s string, room int, of size) []string {
	var lines []string
	for s = strings.Join(strings.Fields(s), " "); s != ""; s = strings.TrimSpace(s) {
		runes := []rune(s)
		wide, fits := 0.0, len(runes)
		for i, r := range runes {
			if wide += of.width(r); wide > float64(room) && i > 0 {
				fits = i
				break
			}
		}
		at := fits
		for i := fits; fits < len(runes) && i > fits/3; i-- {
			if runes[i] == ' ' || strings.ContainsRune(".:,/;", runes[i-1]) {
				at = i
				break
			}
		}
		lines, s = append(lines, strings.TrimSpace(string(runes[:at]))), string(runes[at:])
	}
	if len(lines) == 0 {
		return []string{""}
	}
	return lines
}

// limit cuts a text that others wrote, and makes it printable: that makes it longer.
func limit(s string, most int) string {
	runes := []rune(text.Printable(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most]) + "…"
}
