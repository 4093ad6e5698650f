package tomltext

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Field is one key of a TOML file.
type Field struct {
	Table, Key string // the table is "" outside of one
	Value      string // as TOML writes it
	Comment    string // for the people who read the file; "" for none
}

// Path is the key with its table, as in spf.all.
func (f Field) Path() string {
	if f.Table == "" {
		return f.Key
	}
	return f.Table + "." + f.Key
}

// Line is the key and its value as a line of the file, without a newline.
func (f Field) Line() string { return f.Key + " = " + f.Value }

// CommentsError is a value that cannot be replaced without losing comments between its elements.
type CommentsError struct {
	Line int // of the key, from 1
	Path string
}

// Error implements error.
func (c *CommentsError) Error() string {
	return fmt.Sprintf("line %d: %s has comments between its values, which a change would lose", c.Line, c.Path)
}

// Set returns the text with the field's value in place of the old one, or with the key added to its table. The rest of
// the text stays as it is, octet by octet. The text must be valid TOML. The error is a *CommentsError.
func Set(text []byte, f Field) ([]byte, error) {
	entries := scan(text)
	for _, e := range entries {
		if e.path != f.Path() || e.header {
			continue
		}
		if e.lines > 1 && e.hasComment {
			return nil, &CommentsError{Line: e.line, Path: e.path}
		}
		return slices.Concat(text[:e.start], []byte(f.Value), text[e.end:]), nil
	}
	return addKey(text, entries, f), nil
}

// addKey puts a new key after the last one of its table, in the table's own
// way of writing (a dotted key stays dotted), or makes the table at the end.
func addKey(text []byte, entries []entry, f Field) []byte {
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	line := f.Line()
	if e, ok := anchor(entries, f); ok {
		if i := strings.LastIndex(e.key, "."); i >= 0 && !e.header {
			line = e.key[:i+1] + line
		}
		added := line + newline
		if e.unterminated {
			added = newline + line
		}
		return slices.Concat(text[:e.next], []byte(added), text[e.next:])
	}
	if f.Table == "" {
		return slices.Concat([]byte(line+newline), text)
	}
	added := newline + "[" + f.Table + "]" + newline + line + newline
	if !bytes.HasSuffix(text, []byte("\n")) {
		added = newline + added
	}
	return slices.Concat(text, []byte(added))
}

// anchor is the entry after which a key of the table belongs.
func anchor(entries []entry, f Field) (entry, bool) {
	for _, e := range slices.Backward(entries) {
		parent := ""
		if i := strings.LastIndex(e.path, "."); i >= 0 {
			parent = e.path[:i]
		}
		if e.header && e.path == f.Table || !e.header && parent == f.Table {
			return e, true
		}
	}
	return entry{}, false
}
