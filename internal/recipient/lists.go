package recipient

import "strings"

// tables splits a list of tables or names, with braces kept together (inline:{a=b,
// c=d}).
func tables(value string) []string {
	var all []string
	depth, word := 0, strings.Builder{}
	end := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	for _, r := range value {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case depth == 0 && strings.ContainsRune(", \t\r\n", r):
			end()
			continue
		}
		word.WriteRune(r)
	}
	end()
	return all
}

// list splits a list without braces.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// targets splits the right side of an alias at commas outside quotes, and removes the
// quotes.
func targets(value string) []string {
	var all []string
	word, quoted := strings.Builder{}, false
	end := func() {
		if text := strings.TrimSpace(word.String()); text != "" {
			all = append(all, text)
		}
		word.Reset()
	}
	escaped := false
	for i, r := range value {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quoted:
			escaped = true
			continue
		case r == '"':
			quoted = !quoted
			continue
		case !quoted && (r == ',' || r == '\n'):
			end()
			continue
		case !quoted && r == '#' && (i == 0 || word.Len() == 0):
			end()
			return all
		}
		word.WriteRune(r)
	}
	end()
	return all
}

// Elements returns the elements of a list of names, tables and files as main.cf has
// it.
func Elements(value string) []string { return tables(value) }

// InlineKeys returns the keys of an inline table, from what stands behind its type:
// {key=value, {key = value with spaces}}.
func InlineKeys(text string) []string {
	var keys []string
	for _, row := range InlineRows(text) {
		keys = append(keys, row[0])
	}
	return keys
}

// InlineRows returns the keys of an inline table with their values, see InlineKeys.
func InlineRows(text string) (rows [][2]string) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "{"), "}")
	for _, pair := range tables(text) {
		inner, braces := strings.CutPrefix(pair, "{")
		if braces {
			inner = strings.TrimSuffix(inner, "}")
		}
		if key, value, ok := strings.Cut(inner, "="); ok {
			rows = append(rows, [2]string{strings.TrimSpace(key), strings.TrimSpace(value)})
		}
	}
	return rows
}
