package mastercf

import "strings"

// logical is a logical line: the text after removal of comments, empty lines and
// newlines, with the position of each byte in the file.
type logical struct {
	joined []byte
	at     []int // offset in the file of each byte of joined
}

func (l logical) text(s span) string { return string(l.joined[s.from:s.to]) }

// end returns the offset in the file after the byte before i.
func (l logical) end(i int) int { return l.at[i-1] + 1 }

// span is a range of bytes of a logical line.
type span struct{ from, to int }

// space reports whether Postfix takes the byte for white space: that of ASCII only.
func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// separator reports whether the byte separates words, which fewer do.
func separator(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimLeft trims white space at the beginning.
func trimLeft(line string) string {
	for line != "" && space(line[0]) {
		line = line[1:]
	}
	return line
}

func empty(line string) bool { return trimLeft(line) == "" }

func comment(line string) bool { return strings.HasPrefix(trimLeft(line), "#") }

// logicals returns the logical lines, as in master(5): a line that starts with white
// space continues the one before; comments and empty lines may be in between. A first
// line that starts with white space is skipped, as Postfix does with a warning.
func logicals(text string) []logical {
	var all []logical
	offset := 0
	for line := range strings.Lines(text) {
		body := strings.TrimSuffix(line, "\n")
		switch {
		case empty(body), comment(body):
		case !space(body[0]):
			all = append(all, logical{})
			fallthrough
		default:
			if len(all) > 0 {
				all[len(all)-1].add(body, offset)
			}
		}
		offset += len(line)
	}
	return all
}

func (l *logical) add(body string, offset int) {
	l.joined = append(l.joined, body...)
	for i := range len(body) {
		l.at = append(l.at, offset+i)
	}
}

// words splits at white space outside braces.
func (l logical) words() []span {
	var words []span
	depth, from := 0, -1
	for i, c := range l.joined {
		if depth == 0 && separator(c) {
			if from >= 0 {
				words = append(words, span{from, i})
			}
			from = -1
			continue
		}
		if from < 0 {
			from = i
		}
		switch {
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		}
	}
	if from >= 0 {
		words = append(words, span{from, len(l.joined)})
	}
	return words
}

// trim trims white space at both ends.
func (l logical) trim(s span) span {
	for s.from < s.to && space(l.joined[s.from]) {
		s.from++
	}
	for s.from < s.to && space(l.joined[s.to-1]) {
		s.to--
	}
	return s
}

// inside returns the text between the braces of a word that is { text }; false if it is
// not.
func (l logical) inside(w span) (span, bool) {
	if l.joined[w.from] != '{' {
		return w, false
	}
	depth := 0
	for i := w.from; i < w.to; i++ {
		switch l.joined[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return l.trim(span{w.from + 1, i}), i == w.to-1
		}
	}
	return w, false
}
