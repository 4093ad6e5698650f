// Package tomltext writes TOML with comments, changes single keys of a text in place, and reads its plainest form fast.
package tomltext

import (
	"fmt"
	"strings"
)

// Marshal writes a file: a title, and each key below its comment. Keys of one table stand together in fields.
func Marshal(title string, fields []Field) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	table := ""
	for _, f := range fields {
		if f.Table != table {
			table = f.Table
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		if f.Comment != "" {
			fmt.Fprintf(&b, "# %s\n", f.Comment)
		}
		b.WriteString(f.Line() + "\n")
	}
	return []byte(b.String())
}

// Quote writes a basic string of TOML.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// List writes an array of strings on one line.
func List(texts []string) string {
	quoted := make([]string, 0, len(texts))
	for _, s := range texts {
		quoted = append(quoted, Quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
