// Package domainlist reads the lists of domains that people give: arguments, and files
// with one name a line.
package domainlist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"mailsetup/internal/spec/syntax"
)

// List is a list of domains, with what is wrong with it.
type List struct {
	Names      []string // in A-labels, each once, in the order given
	Duplicates []string // those given again
	Findings   syntax.Findings

	known map[string]bool
}

// Add takes one name from a place: an argument, or file and line.
func (l *List) Add(given, place string) {
	if l.known == nil {
		l.known = map[string]bool{}
	}
	name, err := syntax.DomainName(given)
	bad := (*syntax.BadValue)(nil)
	switch {
	case errors.As(err, &bad):
		l.Findings = append(l.Findings, bad.Finding(place))
	case !l.known[name]:
		l.known[name] = true
		l.Names = append(l.Names, name)
	default:
		l.Duplicates = append(l.Duplicates, name)
	}
}

// Read takes one name a line. What follows a # is a comment, and editors of
// other systems leave a byte order mark and carriage returns.
func (l *List) Read(file string, text []byte) {
	if file == "-" {
		file = "stdin"
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			l.Add(line, fmt.Sprintf("%s:%d:", file, n))
		}
	}
}
