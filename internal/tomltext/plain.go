package tomltext

import (
	"slices"
	"strconv"
	"strings"
)

// Pair is a key, with its table, and its value in a text written plainly.
type Pair struct {
	Path  string // with its table, as in spf.all
	Value any    // string, int64, bool, []string or Table
}

// Table is the value of a table's header.
type Table struct{}

// maxPairs is more than any settings file has keys.
const maxPairs = 200

// Plain reads a text that says everything in the plainest way TOML has, as
// files written here do: one key a line, strings without escapes, lists of
// such strings on one line. Of any other text it says false, right or wrong,
// and the decoder decides. It takes a tenth of the decoder's time, which
// counts with ten thousand files.
func Plain(text string) (pairs []Pair, ok bool) {
	if len(text) > MaxSize || !printable(text) {
		return nil, false
	}
	in := ""
	pairs = make([]Pair, 0, min(strings.Count(text, "\n"), 32)) // a file written here has 26
	for line := range strings.Lines(text) {
		if line[0] == '#' {
			continue // as half of a file written here is
		}
		if line = trimComment(line); line == "" {
			continue
		}
		p, ok := plainLine(line)
		if p.Value == any(Table{}) {
			in = p.Path + "."
		} else {
			p.Path = in + p.Path
		}
		if !ok || len(pairs) == maxPairs || slices.ContainsFunc(pairs, func(x Pair) bool { return x.Path == p.Path }) {
			return nil, false
		}
		pairs = append(pairs, p)
	}
	return pairs, true
}

func plainLine(line string) (Pair, bool) {
	if name, isTable := strings.CutPrefix(line, "["); isTable {
		name, ok := strings.CutSuffix(name, "]")
		return Pair{name, Table{}}, ok && bare(name)
	}
	key, text, ok := strings.Cut(line, "=")
	key = strings.TrimRight(key, " \t")
	value, known := plainValue(strings.TrimLeft(text, " \t"))
	return Pair{key, value}, ok && known && bare(key)
}

// printable reports whether a text has only characters that a plain one has.
func printable(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// trimComment takes white space and the comment from a line.
func trimComment(line string) string {
	line = strings.Trim(line, " \t\n")
	if line == "" || line[0] == '#' {
		return ""
	}
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted:
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}

// bare reports whether a key needs no quotes and has no dots.
func bare(key string) bool {
	return key != "" && strings.IndexFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func plainValue(s string) (any, bool) {
	switch {
	case s == "true", s == "false":
		return s == "true", true
	case strings.HasPrefix(s, `"`):
		text, rest, ok := plainString(s)
		return text, ok && rest == ""
	case strings.HasPrefix(s, "["):
		return plainList(s[1:])
	case s == "" || s[0] < '0' || s[0] > '9' || len(s) > 1 && s[0] == '0':
		return nil, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// plainString reads a string and returns what follows it. The text is a copy:
// the spec would keep the whole file otherwise.
func plainString(s string) (text, rest string, ok bool) {
	text, rest, ok = strings.Cut(strings.TrimPrefix(s, `"`), `"`)
	if !ok || !strings.HasPrefix(s, `"`) || strings.ContainsAny(text, "\\\t") || text == "" && strings.HasPrefix(rest, `"`) {
		return "", "", false
	}
	return strings.Clone(text), rest, true
}

// plainList reads what follows the opening bracket.
func plainList(s string) ([]string, bool) {
	list := []string{}
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "]" {
			return list, true
		}
		text, rest, ok := plainString(s)
		if !ok {
			return nil, false
		}
		list = append(list, text)
		s = strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(s, ",") {
			return list, s == "]"
		}
		s = s[1:]
	}
}

// Fill puts the pairs into their places; false if there is one without.
func Fill(pairs []Pair, place func(path string) any) bool {
	for _, p := range pairs {
		ok := false
		switch at := place(p.Path).(type) {
		case *string:
			*at, ok = p.Value.(string)
		case *int64:
			*at, ok = p.Value.(int64)
		case *bool:
			*at, ok = p.Value.(bool)
		case *[]string:
			*at, ok = p.Value.([]string)
		case Table:
			_, ok = p.Value.(Table)
		}
		if !ok {
			return false
		}
	}
	return true
}
