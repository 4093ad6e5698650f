// Package termsvg draws what a terminal shows as an SVG picture.
package termsvg

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes in pixels: of a character, and of the frame around all of them.
const (
	charWidth  = 8.4
	lineHeight = 18
	fontSize   = 14
	margin     = 16
	titleBar   = 34
)

// style is how characters look.
type style struct {
	fore, back                  string // colours, "" for those of the terminal
	bold, dim, reverse, italics bool
}

// run is a piece of a line that looks the same.
type run struct {
	column int
	text   string
	style  style
}

const (
	foreground = "#d8dee9"
	background = "#1d232c"
)

// palette are the sixteen colours of a terminal.
var palette = [16]string{
	"#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
	"#7f8896", "#ff7b86", "#b5e890", "#ffd787", "#82c4ff", "#e0a0f5", "#7fd6e0", "#ffffff",
}

// Render draws lines of text with the escape sequences that set colours (SGR, ECMA-48
// section 8.3.117), as "tmux capture-pane -e" prints them, in a frame with a title.
func Render(title, screen string, columns int) []byte {
	lines := parse(screen)
	width := 2*margin + float64(columns)*charWidth
	height := titleBar + margin + len(lines)*lineHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, escape(title))
	fmt.Fprintf(&b, `<style>text{font:%dpx ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;white-space:pre;fill:%s}</style>`+"\n", fontSize, foreground)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	for i, colour := range []string{palette[1], palette[3], palette[2]} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5.5" fill="%s"/>`+"\n", margin+4+18*i, titleBar/2, colour)
	}
	fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="middle" style="fill:%s">%s</text>`+"\n", width/2, titleBar/2+5, palette[8], escape(title))
	for i, line := range lines {
		for _, r := range line {
			r.draw(&b, titleBar+i*lineHeight)
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (r run) draw(b *strings.Builder, top int) {
	fore, back := r.style.fore, r.style.back
	if r.style.reverse {
		if fore, back = back, fore; fore == "" {
			fore = background
		}
		if back == "" {
			back = foreground
		}
	}
	x, width := margin+float64(r.column)*charWidth, float64(utf8.RuneCountInString(r.text))*charWidth
	if back != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x, top, width, lineHeight, back)
	}
	if strings.TrimSpace(r.text) == "" {
		return
	}
	attributes := ""
	if fore != "" {
		attributes += fmt.Sprintf(` style="fill:%s"`, fore)
	}
	if r.style.bold {
		attributes += ` font-weight="bold"`
	}
	if r.style.italics {
		attributes += ` font-style="italic"`
	}
	if r.style.dim {
		attributes += ` opacity=".65"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" xml:space="preserve"%s>%s</text>`+"\n", x, top+fontSize, width, attributes, escape(r.text))
}

// parse splits a screen into lines of runs. How characters look lasts beyond the end of
// a line; blank lines at the end, and blanks at the ends of lines, go.
func parse(screen string) [][]run {
	var lines [][]run
	var now style
	for line := range strings.SplitSeq(strings.TrimRight(screen, " \n"), "\n") {
		var runs []run
		column := 0
		for line != "" {
			if sgr, rest, is := cutSequence(line); is {
				now, line = now.after(sgr), rest
				continue
			}
			n := strings.IndexByte(line[1:], '\x1b') + 1
			if n == 0 {
				n = len(line)
			}
			runs = append(runs, run{column, line[:n], now})
			column += utf8.RuneCountInString(line[:n])
			line = line[n:]
		}
		if n := len(runs); n > 0 && runs[n-1].style.back == "" && !runs[n-1].style.reverse {
			runs[n-1].text = strings.TrimRight(runs[n-1].text, " ")
		}
		lines = append(lines, runs)
	}
	return lines
}

// cutSequence takes an escape sequence off the front, and returns the parameters of one
// that sets colours.
func cutSequence(s string) (sgr, rest string, is bool) {
	if !strings.HasPrefix(s, "\x1b[") {
		return "", s, false
	}
	n := strings.IndexFunc(s[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if n < 0 {
		return "", "", true
	}
	if s[2+n] == 'm' {
		sgr = s[2 : 2+n]
	}
	return sgr, s[3+n:], true
}

// after returns how characters look after a sequence.
func (s style) after(sgr string) style {
	codes := strings.FieldsFunc(sgr, func(r rune) bool { return r == ';' || r == ':' })
	if len(codes) == 0 {
		return style{}
	}
	for i := 0; i < len(codes); i++ {
		switch code := number(codes[i]); {
		case code == 0:
			s = style{}
		case code == 1:
			s.bold = true
		case code == 2:
			s.dim = true
		case code == 3:
			s.italics = true
		case code == 7:
			s.reverse = true
		case code == 22:
			s.bold, s.dim = false, false
		case code == 23:
			s.italics = false
		case code == 27:
			s.reverse = false
		case code >= 30 && code <= 37:
			s.fore = palette[code-30]
		case code >= 90 && code <= 97:
			s.fore = palette[code-82]
		case code >= 40 && code <= 47:
			s.back = palette[code-40]
		case code == 39:
			s.fore = ""
		case code == 49:
			s.back = ""
		case code == 38 || code == 48:
			colour, used := extended(codes[i+1:])
			i += used
			if code == 38 {
				s.fore = colour
			} else {
				s.back = colour
			}
		}
	}
	return s
}

// extended returns the colour that 5;N or 2;R;G;B name, and how many codes that took.
func extended(codes []string) (colour string, used int) {
	switch {
	case len(codes) >= 2 && codes[0] == "5":
		n := number(codes[1])
		switch {
		case n < 16:
			return palette[n], 2
		case n >= 232:
			grey := 8 + 10*(n-232)
			return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey), 2
		}
		level := func(v int) int { return map[bool]int{true: 55 + 40*v}[v > 0] }
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6)), 2
	case len(codes) >= 4 && codes[0] == "2":
		return fmt.Sprintf("#%02x%02x%02x", number(codes[1]), number(codes[2]), number(codes[3])), 4
	}
	return "", len(codes)
}

// escape is text within XML, which has no control characters.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

// number is a code, 0 where it is none, and at most a byte.
func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0
	}
	return int(n)
}
