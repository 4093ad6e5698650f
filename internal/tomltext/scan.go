package tomltext

import (
	"strings"
)

// entry is one key of a TOML text and where it stands. Tables' headers are
// entries without a value.
type entry struct {
	path   string // with its table, as in spf.all
	key    string // as written, relative to the table
	table  string // the table it stands in
	header bool
	line   int // from 1

	start, end   int // of the value, in octets
	next         int // where the following line starts
	lines        int // that the value takes
	hasComment   bool
	unterminated bool // the last line, without a newline
}

// LineOf returns the line of a key or of a table's header in a valid TOML text, from 1; 0 if it is not there.
func LineOf(text []byte, path string) int {
	for _, e := range scan(text) {
		if e.path == path {
			return e.line
		}
	}
	return 0
}

// byteOrderMark is what some editors begin a file with; the decoder skips it.
const byteOrderMark = "\ufeff"

// scan finds the keys of a text that the TOML decoder has accepted already. It
// knows just enough of the grammar to tell where a value ends.
func scan(text []byte) []entry {
	var out []entry
	s := string(text)
	table := ""
	for pos, line := len(s)-len(strings.TrimPrefix(s, byteOrderMark)), 1; pos < len(s); {
		e, ok := scanLine(s, pos, table)
		e.line = line
		if ok {
			out = append(out, e)
		}
		if e.header {
			table = e.path
		}
		line += strings.Count(s[pos:e.next], "\n")
		pos = e.next
	}
	return out
}

// scanLine reads the line at pos, and the lines its value runs on to. The
// entry's next is always right, the rest only if there is a key.
func scanLine(s string, pos int, table string) (entry, bool) {
	eol := lineEnd(s, pos)
	e := entry{table: table, next: eol, unterminated: !strings.HasSuffix(s[:eol], "\n")}
	text := strings.TrimSpace(s[pos:eol])
	switch {
	case text == "" || text[0] == '#':
		return e, false
	case text[0] == '[':
		name, _ := scanKey(strings.TrimLeft(text, "["))
		e.header, e.path, e.key = true, name, name
		return e, true
	}
	key, n := scanKey(s[pos:eol])
	at := pos + n
	if at >= len(s) || s[at] != '=' {
		return e, false
	}
	e.key, e.path = key, key
	if table != "" {
		e.path = table + "." + key
	}
	at++
	for at < eol && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	e.start = at
	scanValue(s, &e)
	return e, true
}

// lineEnd returns the offset after the line's newline, or the text's end.
func lineEnd(s string, pos int) int {
	if i := strings.IndexByte(s[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(s)
}

// scanKey reads a dotted key and returns it without white space and needless
// quotes, and how many octets it takes up to the = or ].
func scanKey(s string) (string, int) {
	var parts []string
	i := 0
	for i < len(s) {
		i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t"))
		part, n := scanPart(s[i:])
		i += n
		parts = append(parts, part)
		i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t"))
		if i >= len(s) || s[i] != '.' {
			break
		}
		i++
	}
	return strings.Join(parts, "."), i
}

// scanPart reads one part of a dotted key.
func scanPart(s string) (string, int) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		n := strings.IndexAny(s, ".=] \t")
		if n < 0 {
			n = len(s)
		}
		return s[:n], n
	}
	n := stringEnd(s, 0)
	name := s[1:max(1, n-1)]
	if strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return s[:n], n
	}
	return name, n
}

// scanValue sets the value's end and the start of the line after it.
func scanValue(s string, e *entry) {
	depth, i := 0, e.start
	last := i // after the last octet that belongs to the value
	for i < len(s) {
		switch c := s[i]; {
		case c == '\n' && depth == 0:
			e.end, e.next, e.unterminated = last, i+1, false
			e.lines = 1 + strings.Count(s[e.start:last], "\n")
			return
		case c == '#':
			e.hasComment = e.hasComment || depth > 0
			i = lineEnd(s, i)
			if strings.HasSuffix(s[:i], "\n") {
				i--
			}
			continue
		case c == '"' || c == '\'':
			i = stringEnd(s, i)
			last = i
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		if !strings.ContainsRune(" \t\r\n", rune(s[i])) {
			last = i + 1
		}
		i++
	}
	e.end, e.next, e.unterminated = last, len(s), true
	e.lines = 1 + strings.Count(s[e.start:last], "\n")
}

// stringEnd returns the offset after the string that starts at pos: basic or
// literal, on one line or many.
func stringEnd(s string, pos int) int {
	quote := s[pos : pos+1]
	delim := quote
	if strings.HasPrefix(s[pos:], strings.Repeat(quote, 3)) {
		delim = strings.Repeat(quote, 3)
	} else if strings.HasPrefix(s[pos:], quote+quote) {
		return pos + 2
	}
	for i := pos + len(delim); i < len(s); i++ {
		if s[i] == '\\' && quote == `"` {
			i++
			continue
		}
		if strings.HasPrefix(s[i:], delim) {
			i += len(delim)
			// Up to two more quotes may belong to a string of many lines.
			for len(delim) == 3 && i < len(s) && s[i:i+1] == quote {
				i++
			}
			return i
		}
	}
	return len(s)
}
