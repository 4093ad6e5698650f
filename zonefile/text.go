// Package zonefile builds, reads and edits master files (RFC 1035 section 5)
// as BIND reads them. It works on bytes and touches no file.
package zonefile

import (
	"strings"

	"mailsetup/internal/state"
)

// maxString is the length of a character string in octets, RFC 1035 section 3.3.
const maxString = 255

// SplitTXT cuts a TXT value into strings of at most 255 octets, one at least.
// Readers join them with nothing in between (RFC 7208 section 3.3).
func SplitTXT(s string) []string {
	var parts []string
	for len(s) > maxString {
		parts = append(parts, s[:maxString])
		s = s[maxString:]
	}
	return append(parts, s)
}

// Rdata returns a record's data as a master file has it: a TXT value quoted,
// escaped, and over several lines in parentheses if it takes several strings.
func Rdata(r state.Record) string {
	if r.Type != "TXT" {
		return oneLine(r.Value) // never a second record
	}
	parts := SplitTXT(r.Value)
	if len(parts) == 1 {
		return quote(parts[0])
	}
	return multilineTXT(parts)
}

func multilineTXT(parts []string) string {
	var b strings.Builder
	b.WriteByte('(')
	for _, p := range parts {
		b.WriteString("\n\t" + quote(p))
	}
	b.WriteString(" )")
	return b.String()
}

// quotedTXT returns a TXT value on one line.
func quotedTXT(value string) string {
	parts := SplitTXT(value)
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return strings.Join(parts, " ")
}

// quote writes one character string in quotes, in which a semicolon needs no escape.
func quote(s string) string { return `"` + Escape(s) + `"` }
