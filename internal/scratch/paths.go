package scratch

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Paths maps paths to their copies in a scratch directory.
type Paths struct {
	base    string
	have    map[string]bool
	unusual []string // paths with characters outside pathChar, longest first
}

// NewPaths returns those of copies below a directory.
func NewPaths(base string, paths []state.Path) Paths {
	m := Paths{base: base, have: make(map[string]bool, len(paths))}
	for _, p := range paths {
		m.have[string(p)] = true
		if slices.ContainsFunc([]byte(p), func(c byte) bool { return !pathChar(c) }) {
			m.unusual = append(m.unusual, string(p))
		}
	}
	slices.SortFunc(m.unusual, func(a, b string) int { return len(b) - len(a) })
	return m
}

// Copy returns the path of the copy.
func (m Paths) Copy(p state.Path) string { return m.base + string(p) }

// pathChar reports whether a character occurs in ordinary paths. Any other ends a path:
// "file:/etc/opendkim/KeyTable", "{ unix:/run/x, … }".
func pathChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c > 0x7f:
		return true
	}
	return strings.IndexByte("/._-+@%~", c) >= 0
}

// inPaths are the octets for which pathChar is true: a configuration has millions.
var inPaths = func() (is [256]bool) {
	for c := range is {
		is[c] = pathChar(byte(c))
	}
	return is
}()

// InText replaces each whole path with a copy by the path of the copy, in one pass: with
// ten thousand files, a pass for each path would take minutes.
func (m Paths) InText(content []byte) []byte {
	text := string(content)
	for _, p := range m.unusual {
		text = strings.ReplaceAll(text, p, m.base+p)
	}
	out := make([]byte, 0, len(text)+len(m.base))
	done := 0
	for at := 0; at < len(text); {
		if !inPaths[text[at]] {
			at++
			continue
		}
		from := at
		for at < len(text) && inPaths[text[at]] {
			at++
		}
		if text[from] == '/' && m.have[text[from:at]] {
			out = append(append(out, text[done:from]...), m.base...)
			done = from
		}
	}
	return append(out, text[done:]...)
}

// Restore replaces the paths of copies by the real ones.
func (m Paths) Restore(text string) string { return strings.ReplaceAll(text, m.base, "") }
