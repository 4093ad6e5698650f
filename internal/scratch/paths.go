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
		if strings.ContainsFunc(string(p), func(r rune) bool { return !pathChar(r) }) {
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
func pathChar(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r > 0x7f:
		return true
	}
	return strings.ContainsRune("/._-+@%~", r)
}

// InText replaces each whole path with a copy by the path of the copy, in one pass: with
// ten thousand files, a pass for each path would take minutes.
func (m Paths) InText(content []byte) []byte {
	text := string(content)
	for _, p := range m.unusual {
		text = strings.ReplaceAll(text, p, m.base+p)
	}
	var b strings.Builder
	b.Grow(len(text))
	for text != "" {
		end := strings.IndexFunc(text, func(r rune) bool { return !pathChar(r) })
		if end < 0 {
			end = len(text)
		}
		if m.have[text[:end]] {
			b.WriteString(m.base)
		}
		b.WriteString(text[:end])
		text = text[end:]
		next := strings.IndexFunc(text, pathChar)
		if next < 0 {
			next = len(text)
		}
		b.WriteString(text[:next])
		text = text[next:]
	}
	return []byte(b.String())
}

// Restore replaces the paths of copies by the real ones.
func (m Paths) Restore(text string) string { return strings.ReplaceAll(text, m.base, "") }
