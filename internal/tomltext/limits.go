package tomltext

import (
	"fmt"
	"strings"
)

const (
	// MaxSize is the longest settings file that is read, in octets.
	MaxSize = 256 << 10
	// maxDepth is how many brackets may be open, and how many parts a dotted key may
	// have. The time of the decoder grows with the square of both and more: 20 seconds
	// for 16 KiB of "a.a.a", measured with BurntSushi/toml 1.6.
	maxDepth = 8
)

// CheckLimits returns what is too much in a text for the decoder, nil if nothing is. It
// looks at each octet once.
func CheckLimits(text []byte) *Fault {
	if len(text) > MaxSize {
		return &Fault{
			Text: fmt.Sprintf("is too long: %d KiB, and a settings file has at most %d", len(text)>>10, MaxSize>>10),
			Hint: "look with head -c 2000 what was written there, and put the file back from a backup",
		}
	}
	s := string(text)
	depth, parts := 0, 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '#':
			i = lineEnd(s, i) - 1
			parts = 1
		case '"', '\'':
			i = stringEnd(s, i) - 1
		case '[', '{':
			depth++
			parts = 1
		case ']', '}':
			depth--
		case '.':
			parts++
		case ',', '=', '\n':
			parts = 1
		}
		if depth > maxDepth || parts > maxDepth {
			return &Fault{
				Line: strings.Count(s[:min(i, len(s))], "\n") + 1, Text: "is nested too deeply",
				Hint: `a line is NAME = "text", NAME = 5, NAME = true or NAME = ["text", "text"]`,
			}
		}
	}
	return nil
}
