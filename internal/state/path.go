package state

import (
	"fmt"
	"path"
	"strings"
)

// Path is an absolute, clean path on the machine. ParsePath is the way in for
// text from outside; constants of the program are converted directly.
type Path string

// ParsePath accepts an absolute path without control characters and returns
// it clean. Paths that climb ("..") are refused rather than resolved.
func ParsePath(s string) (Path, error) {
	if !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("path %q: not absolute", s)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return "", fmt.Errorf("path %q: control character", s)
		}
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return "", fmt.Errorf("path %q: climbs with \"..\"", s)
		}
	}
	return Path(path.Clean(s)), nil
}

// Dir returns the directory that holds p.
func (p Path) Dir() Path { return Path(path.Dir(string(p))) }

// Base returns the last element of p.
func (p Path) Base() string { return path.Base(string(p)) }

// Join appends elements.
func (p Path) Join(elem ...string) Path {
	return Path(path.Join(append([]string{string(p)}, elem...)...))
}
