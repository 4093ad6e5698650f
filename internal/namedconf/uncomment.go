package namedconf

import "strings"

// Uncomment returns a text with a space in the place of each comment. What looks
// like one inside quotes stays. It works on files that Parse refuses.
func Uncomment(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		rest := text[i:]
		n := comment(rest)
		switch {
		case n > 0:
			b.WriteByte(' ')
		case rest[0] == '"':
			n = QuotedLength(rest)
			b.WriteString(rest[:n])
		default:
			n = 1
			b.WriteByte(rest[0])
		}
		i += n
	}
	return b.String()
}

// QuotedLength returns the length of the string in double quotes that s begins with,
// or that of s where it is not closed. A backslash takes the next character as it is,
// in named.conf(5) as in aliases(5).
func QuotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
