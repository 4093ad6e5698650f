package zonefile

import (
	"fmt"
	"strings"
)

// Escape writes the octets of a character string as master files have them: quotes
// and backslashes behind a backslash, unprintable octets as \DDD (RFC 1035 section
// 5.1). A space stays, so the string has to stand in quotes.
func Escape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape undoes the escapes of a character string (RFC 1035 section 5.1): \X is X,
// \DDD the octet with that decimal number.
func Unescape(s string) string {
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
		if n, ok := decimalOctet(s[i:]); ok {
			b = append(b, n)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// decimalOctet reads three decimal digits.
func decimalOctet(s string) (byte, bool) {
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
