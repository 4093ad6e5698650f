// Package findingtest is for tests of what finds something out.
package findingtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// Remedies fails a test for each remedy that cannot be pasted line by line as it says:
// commands into a shell, records into a zone file; and for prose that begins as a command.
func Remedies(t testing.TB, list []finding.Finding) {
	t.Helper()
	for _, f := range list {
		for _, l := range f.Remedy {
			if err := check(l); err != nil {
				t.Errorf("%s %s: %s %q: %v", f.ID, f.Subject, l.Kind, l.Text, err)
			}
		}
	}
}

func check(l finding.Line) error {
	if l.Text == "" || text.Printable(l.Text) != l.Text {
		return fmt.Errorf("empty, or with control characters")
	}
	switch l.Kind {
	case finding.LineCommand:
		return checkCommand(l.Text)
	case finding.LineRecord:
		if rr, err := dns.NewRR(l.Text); err != nil || rr == nil {
			return fmt.Errorf("no record: %w", err)
		}
		return nil
	case finding.LineText:
		if text.IsCommand(l.Text) {
			return fmt.Errorf("prose that begins as a command")
		}
		return nil
	}
	return fmt.Errorf("no such kind")
}

// checkCommand reads a line as a POSIX shell does that knows plain words, single quotes
// and what is between commands, and nothing else.
func checkCommand(line string) error {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	var words []string
	inWord := false
	add := func(s string) {
		if !inWord {
			words = append(words, "")
		}
		inWord = true
		words[len(words)-1] += s
	}
	for rest := line; rest != ""; {
		switch c := rest[0]; {
		case c == ' ':
			inWord, rest = false, rest[1:]
		case c == '\'':
			quoted, after, ends := strings.Cut(rest[1:], "'")
			if !ends {
				return fmt.Errorf("a quote that does not end")
			}
			add(quoted)
			rest = after
		case strings.HasPrefix(rest, `\'`):
			add("'")
			rest = rest[2:]
		case strings.HasPrefix(rest, "&& "), strings.HasPrefix(rest, "| "), strings.HasPrefix(rest, "; "):
			operator, after, _ := strings.Cut(rest, " ")
			words, inWord, rest = append(words, operator), false, after
		case strings.IndexByte(plain, c) >= 0:
			add(string(c))
			rest = rest[1:]
		default:
			return fmt.Errorf("%q is not quoted", c)
		}
	}
	operators := []string{"&&", "|", ";"}
	for i, w := range words {
		if begins := i == 0 || slices.Contains(operators, words[i-1]); begins && !text.IsCommand(w) {
			return fmt.Errorf("%q is no program", w)
		}
	}
	return nil
}
