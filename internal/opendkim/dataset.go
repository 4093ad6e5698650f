package opendkim

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
)

// kind of a data set, opendkim(8) DATA SETS.
type kind int

const (
	list    kind = iota // written out, with commas
	file                // exact keys
	pattern             // keys with *, refile:
)

// entry is a key of a data set, and its value.
type entry struct {
	key, value string
	at         Place
}

// dataset is a data set, read.
type dataset struct {
	kind    kind
	path    string // "" for a list
	entries []entry
}

// maxLine is the longest line that the daemon reads, BUFRSZ: it takes the rest for the
// next line.
const maxLine = 1023

// open reads the data set of a setting. A program or a database has no lines that could
// be taken over.
func (c Conf) open(s Setting, read Read) (dataset, error) {
	k, rest, err := kindOf(s)
	if err != nil {
		return dataset{}, err
	}
	if k == list {
		return dataset{kind: list, entries: inlineEntries(rest, s.Place)}, nil
	}
	name := c.absolute(rest)
	text, err := read(name)
	if err != nil {
		return dataset{}, err
	}
	if text == nil {
		return dataset{}, errorAt(s.Place, "make the file, or take the line out", "%s: no such file", name)
	}
	d := dataset{kind: k, path: name}
	d.entries, err = rows(name, text)
	return d, err
}

// absolute returns a path as the daemon sees it: relative to BaseDirectory, or to the
// directory in which systemd starts it.
func (c Conf) absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	base, _ := c.Get("BaseDirectory")
	return path.Join("/", base.Value, name)
}

// kindOf returns the type of a data set by its name, as dkimf_db_open does.
func kindOf(s Setting) (kind, string, error) {
	name := s.Value
	colon, comma := strings.IndexByte(name, ':'), strings.IndexByte(name, ',')
	if colon < 0 || comma >= 0 && comma < colon {
		switch {
		case strings.HasSuffix(name, ".db"):
			return 0, "", unsupported(s, "a Berkeley database")
		case strings.HasPrefix(name, "/"):
			return file, name, nil
		}
		return list, name, nil
	}
	rest := name[colon+1:]
	switch typ := strings.ToLower(name[:colon]); typ {
	case "csl":
		return list, rest, nil
	case "file":
		return file, rest, nil
	case "refile":
		return pattern, rest, nil
	default:
		return 0, "", unsupported(s, fmt.Sprintf("of the type %q", typ))
	}
}

func unsupported(s Setting, what string) error {
	return errorAt(s.Place, "write its rows into a text file and name it here as file:PATH",
		"%s is %s, which is not understood; text files and lists are", s.Name, what)
}

// inlineEntries parses a data set in the setting itself: key, or key=value.
func inlineEntries(text string, at Place) []entry {
	var all []entry
	for item := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(item, "=")
		if key = strings.TrimSpace(key); key != "" {
			all = append(all, entry{key, strings.TrimSpace(value), at})
		}
	}
	return all
}

// rows reads a text file: key, white space, value; # begins a comment anywhere.
func rows(name string, text []byte) ([]entry, error) {
	var all []entry
	var errs []error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		at := Place{name, n}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) > maxLine {
			errs = append(errs, errorAt(at, "make the line shorter",
				"%d octets; OpenDKIM takes what follows the first %d for another row", len(line), maxLine))
			continue
		}
		row, _, _ := strings.Cut(string(line), "#")
		row = strings.Trim(row, whitespace)
		key, value := row, ""
		if i := strings.IndexAny(row, whitespace); i >= 0 {
			key, value = row[:i], strings.Trim(row[i:], whitespace)
		}
		if key != "" {
			all = append(all, entry{key, value, at})
		}
	}
	return all, errors.Join(errs...)
}

// whitespace is what isspace(3) takes for white space in ASCII.
const whitespace = " \t\n\v\f\r"
