package edits

import (
	"fmt"
	"strings"

	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
)

// aliasHeader starts an aliases file that was not there.
const aliasHeader = "# Mail aliases, aliases(5). After a change by hand run: newaliases\n"

// Alias returns the text of aliases(5) with the entries set. An equal entry keeps its
// bytes; another one keeps its key and the space after it, and loses its continuation
// lines; a missing one is appended. Of several entries with one key the first is
// changed, as in postalias(1).
func Alias(e state.AliasEdit, current []byte) ([]byte, error) {
	text := string(current)
	if len(strings.TrimSpace(text)) == 0 {
		text = aliasHeader
	}
	for _, s := range e.Set {
		if err := checkAlias(s); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Path, err)
		}
		text = setAlias(text, s)
	}
	return []byte(text), nil
}

// checkAlias refuses a value that would end its line, and a name that would be a
// comment.
func checkAlias(s state.Setting) error {
	if err := checkPlain("alias", s.Name); err != nil {
		return err
	}
	if strings.TrimSpace(s.Name) != s.Name || strings.HasPrefix(s.Name, "#") {
		return fmt.Errorf("alias %q: not a name", s.Name)
	}
	if strings.TrimSpace(s.Value) == "" || strings.ContainsAny(s.Value, "\n\r\x00") {
		return fmt.Errorf("alias %s: value %q is not one line", s.Name, s.Value)
	}
	return nil
}

// setAlias sets one entry.
func setAlias(text string, s state.Setting) string {
	lines := splitLines(text)
	for i, line := range lines {
		name, value, ok := aliasLine(line)
		if !ok || !strings.EqualFold(name, s.Name) {
			continue
		}
		rest, folded := continuation(lines[i+1:])
		if unfold(line[value:]+folded) == unfold(s.Value) {
			return text
		}
		head := line[:value]
		if strings.HasSuffix(head, ":") {
			head += " "
		}
		return strings.Join(lines[:i], "") + head + strings.TrimSpace(s.Value) + "\n" + strings.Join(rest, "")
	}
	return withNewline(text) + aliasKey(s.Name) + ": " + strings.TrimSpace(s.Value) + "\n"
}

func splitLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, line)
	}
	return lines
}

// aliasLine returns the name of the entry that a line starts, and the offset
// of its value after colon and blanks.
func aliasLine(line string) (name string, value int, ok bool) {
	if line == "" || strings.ContainsRune(" \t\r\n#", rune(line[0])) {
		return "", 0, false
	}
	after := 0
	if line[0] == '"' {
		after = namedconf.QuotedLength(line)
	}
	i := strings.IndexByte(line[after:], ':')
	if i < 0 {
		return "", 0, false
	}
	colon := after + i
	name = strings.TrimSpace(line[:colon])
	if len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"' {
		name = strings.ReplaceAll(name[1:len(name)-1], `\`, "")
	}
	value = colon + 1
	for value < len(line) && (line[value] == ' ' || line[value] == '\t') {
		value++
	}
	return name, value, true
}

// continuation separates the lines that continue an entry from those after it. Comments
// and empty lines do not end an entry in Postfix, and stay.
func continuation(lines []string) (rest []string, folded string) {
	var b strings.Builder
	for i, line := range lines {
		switch text := strings.TrimSpace(line); {
		case text == "" || text[0] == '#':
			rest = append(rest, line)
		case line[0] == ' ' || line[0] == '\t':
			b.WriteString(" " + line)
		default:
			return append(rest, lines[i:]...), b.String()
		}
	}
	return rest, b.String()
}

// unfold returns a value on one line, for comparisons.
func unfold(s string) string { return strings.Join(strings.Fields(s), " ") }

// aliasKey quotes a name that is more than one word of plain characters.
func aliasKey(name string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("._+-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if strings.ContainsFunc(name, special) {
		return `"` + name + `"`
	}
	return name
}

// AliasEntries returns the entries of a text of aliases(5) by their names, in lower
// case as postalias(1) keeps them. Of several with one name the first counts.
func AliasEntries(text []byte) map[string]string {
	entries := map[string]string{}
	lines := splitLines(string(text))
	for i, line := range lines {
		name, at, ok := aliasLine(line)
		if !ok {
			continue
		}
		_, folded := continuation(lines[i+1:])
		if name = strings.ToLower(name); entries[name] == "" {
			entries[name] = unfold(line[at:] + folded)
		}
	}
	return entries
}
