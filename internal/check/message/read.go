// Package message checks one message: whether its form is that of a mail, and what spam
// filters on this machine make of it.
package message

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"

	"mailsetup/internal/hint"
)

// maxSize is how large a message may be: twice what Postfix takes (message_size_limit).
const maxSize = 20 << 20

// Read reads a message from a file, as a mail program saves it.
func Read(name string) ([]byte, error) {
	const saved = "name the file of one message, as a mail program saves it"
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for a writer
	if err != nil {
		return nil, hint.NewUsage(saved, "--message: %w", err)
	}
	defer f.Close()
	switch fi, err := f.Stat(); {
	case err != nil:
		return nil, fmt.Errorf("--message: %w", err)
	case !fi.Mode().IsRegular():
		return nil, hint.NewUsage(saved, "--message %s: not a regular file", name)
	case fi.Size() > maxSize:
		return nil, hint.NewUsage(saved, "--message %s: it has more than %d MB", name, maxSize>>20)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return nil, hint.NewUsage(saved, "--message: %w", err)
	}
	if p := parse(text); len(p.fields) == 0 {
		return nil, hint.NewUsage(saved, "--message %s: it does not begin with header fields", name)
	}
	return text, nil
}

// parsed is a message taken apart, however badly it is formed.
type parsed struct {
	fields []field
	broken int // lines of the header section that are no field
	body   []byte
}

// field is a header field, unfolded.
type field struct{ name, value string }

// maxFields bounds the header section; more is taken for body.
const maxFields = 2000

// parse takes a message apart. A line at the beginning that is of a mailbox file (mbox)
// is no part of it.
func parse(text []byte) parsed {
	var p parsed
	if bytes.HasPrefix(text, []byte("From ")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	for len(text) > 0 && len(p.fields)+p.broken < maxFields {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		name, value, colon := bytes.Cut(line, []byte(":"))
		last := len(p.fields) - 1
		switch {
		case len(line) == 0:
			p.body = rest
			return p
		case (line[0] == ' ' || line[0] == '\t') && last >= 0:
			p.fields[last].value += " " + string(bytes.TrimSpace(line))
		case !colon || !isName(bytes.TrimRight(name, " \t")):
			p.broken++
		default:
			p.fields = append(p.fields, field{string(bytes.TrimRight(name, " \t")), string(bytes.TrimSpace(value))})
		}
		text = rest
	}
	p.body = text
	return p
}

// isName reports whether a text may be the name of a field: printable ASCII (RFC 5322
// section 2.2).
func isName(name []byte) bool {
	for _, c := range name {
		if c < 33 || c > 126 {
			return false
		}
	}
	return len(name) > 0
}

// all returns the values of the fields of a name.
func (p parsed) all(name string) []string {
	var list []string
	for _, f := range p.fields {
		if equalFold(f.name, name) {
			list = append(list, f.value)
		}
	}
	return list
}

func (p parsed) first(name string) string {
	if all := p.all(name); len(all) > 0 {
		return all[0]
	}
	return ""
}
