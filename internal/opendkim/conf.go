// Package opendkim reads a set-up of OpenDKIM that somebody made by hand: its
// configuration, its tables, and what they mean for the mail. It says where
// each thing stands, and refuses what has no equivalent in the tables that
// mailsetup writes. Pure: files come in through a function, and no private key
// is among them.
package opendkim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Place is a line of a file.
type Place struct {
	File string
	Line int
}

// String implements fmt.Stringer, in the form that editors understand.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Error is something that cannot be taken over, and what to do about it.
type Error struct {
	Place
	What, Hint string
}

// Error implements error.
func (e *Error) Error() string { return e.Place.String() + ": " + e.What }

func errorAt(at Place, hint, format string, a ...any) *Error {
	return &Error{Place: at, What: fmt.Sprintf(format, a...), Hint: hint}
}

// Read returns the text of a file, nil if there is none.
type Read func(path string) ([]byte, error)

// Setting is a line of opendkim.conf(5).
type Setting struct {
	Name, Value string
	Place
}

// Conf is an opendkim.conf(5), with what it includes.
type Conf struct {
	Settings []Setting // in the order in which the daemon reads them
	Files    []string
}

// maxIncludes is how deep files may include each other, config.c MAXLEVEL.
const maxIncludes = 5

// ParseConf reads a configuration as the daemon does: names in any case, the
// last of two counts, # begins a comment anywhere.
func ParseConf(path string, read Read) (Conf, error) {
	var c Conf
	return c, c.load(path, Place{File: path}, read, 0)
}

// load parses a file and the files that it includes.
func (c *Conf) load(path string, from Place, read Read, depth int) error {
	if depth > maxIncludes {
		return errorAt(from, "take one Include out", "files include each other too deep")
	}
	text, err := read(path)
	if err != nil {
		return err
	}
	if text == nil {
		return errorAt(from, "take the line out, or make the file", "%s: no such file", path)
	}
	c.Files = append(c.Files, path)
	var errs []error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		at := Place{path, n}
		set, err := setting(line, at)
		switch {
		case err != nil:
			errs = append(errs, err)
		case set.Name == "":
		case strings.EqualFold(set.Name, "Include"):
			errs = append(errs, c.load(set.Value, at, read, depth+1))
		default:
			c.Settings = append(c.Settings, set)
		}
	}
	return errors.Join(errs...)
}

// setting reads a line; it has no name if the line says nothing.
func setting(line []byte, at Place) (Setting, error) {
	text := string(line)
	if i := strings.IndexAny(text, "#\r\n"); i >= 0 {
		text = text[:i]
	}
	text = strings.Trim(text, " \t")
	name, value := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		name, value = text[:i], strings.Trim(text[i:], " \t")
	}
	if name != "" && value == "" {
		return Setting{}, errorAt(at, "take the line out, or complete it", "%q has no value, and OpenDKIM does not start with that", name)
	}
	return Setting{name, value, at}, nil
}

// Get returns the setting that counts.
func (c Conf) Get(name string) (Setting, bool) {
	for _, s := range slices.Backward(c.Settings) {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return Setting{}, false
}

// Yes reports whether a setting is there and on, in any of the daemon's words.
func (c Conf) Yes(name string) bool {
	s, ok := c.Get(name)
	return ok && strings.ContainsAny(s.Value[:1], "tTyY1")
}

// No reports whether a setting is there and off.
func (c Conf) No(name string) bool {
	s, ok := c.Get(name)
	return ok && strings.ContainsAny(s.Value[:1], "fFnN0")
}

// Effective returns the effective settings, each once, in the order of the file.
func (c Conf) Effective() []Setting {
	var out []Setting
	for i, s := range c.Settings {
		later := slices.ContainsFunc(c.Settings[i+1:], func(o Setting) bool { return strings.EqualFold(o.Name, s.Name) })
		if !later {
			out = append(out, s)
		}
	}
	return out
}
