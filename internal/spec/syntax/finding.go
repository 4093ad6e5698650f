// Package syntax accepts single values as people write them, in flags and in the TOML files:
// names, addresses and paths, each in its normal form or refused on one line with a hint.
package syntax

import (
	"fmt"
	"strings"
)

// Finding is one fault of the answers or files, and what to type instead.
type Finding struct {
	Field string // the flag (--domain), or file, line and key
	Text  string // what is wrong, the value quoted
	Hint  string // what to do, "" where there is nothing to say
}

// String renders the finding on one line, whatever the value contained.
func (f Finding) String() string { return oneLine(f.Field, f.Text, f.Hint) }

// Findings are all faults that were found. As an error they have one line each.
type Findings []Finding

// Error implements error.
func (fs Findings) Error() string {
	lines := make([]string, 0, len(fs))
	for _, f := range fs {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Err returns the findings as an error, nil if there are none.
func (fs Findings) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// BadValue is a value that a field does not accept.
type BadValue struct {
	Field string // what was asked for: domain, selector, …
	Value string // as given; quoted when shown
	Why   string // a predicate: "has a space"
	Hint  string
}

// Error implements error, on one line.
func (b *BadValue) Error() string { return oneLine(b.Field, b.text(), b.Hint) }

func (b *BadValue) text() string { return fmt.Sprintf("%q %s", Clip(b.Value), b.Why) }

// Finding returns the fault under another name for the field.
func (b *BadValue) Finding(field string) Finding {
	return Finding{Field: field, Text: b.text(), Hint: b.Hint}
}

// Clip shortens a hostile value; the longest valid one, a mailto: URI, has 261 octets.
func Clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func oneLine(field, text, hint string) string {
	line := field + " " + text
	if !strings.HasPrefix(text, `"`) {
		line = field + ": " + text
	}
	if hint != "" {
		line += "; hint: " + hint
	}
	return line
}
