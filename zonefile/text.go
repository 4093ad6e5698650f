// Package zonefile builds, reads and edits master files (RFC 1035 section 5)
// as BIND reads them. It works on bytes and touches no file.
package zonefile

import (
	"fmt"
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

// quotedTXT is a TXT value as one line has it.
func quotedTXT(value string) string {
	parts := SplitTXT(value)
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return strings.Join(parts, " ")
}

// quote writes one character string, RFC 1035 section 5.1. A semicolon needs
// no escape in quotes.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unescape undoes \X and \DDD, RFC 1035 section 5.1.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if n, ok := octet(s[i:]); ok {
			b = append(b, n)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// octet reads three decimal digits.
func octet(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return byte(n), n <= 255
}
