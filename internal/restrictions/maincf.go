package restrictions

import (
	"fmt"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// Error is a place in Postfix's files that is not understood, or where a check has no
// place.
type Error struct {
	Path      state.Path
	Line      int    // 0 where no line sets it
	Parameter string // "" for a line that sets none
	Text      string
	Hint      string // what to type
}

// Error implements error.
func (e *Error) Error() string {
	at := string(e.Path)
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.Path, e.Line)
	}
	if e.Parameter != "" {
		at += ": " + e.Parameter
	}
	return at + ": " + e.Text
}

// Hints returns what to type.
func (e *Error) Hints() []string { return []string{e.Hint} }

// parameter is a setting of main.cf with the positions of its value in the file.
type parameter struct {
	name   string
	line   int    // from 1
	value  []byte // lines joined, comments left out, as Postfix does
	at     []int  // the offset in the file of each byte of value
	begin  int    // offset of the line that begins it
	equals int    // offset after the equals sign
}

// end returns the offset in the file behind the first n bytes of the value.
func (p parameter) end(n int) int {
	if n == 0 {
		return p.equals
	}
	return p.at[n-1] + 1
}

// mainParameters returns the settings of main.cf in order, postconf(5): a line that begins
// with white space continues the setting before it, with comments and empty lines in
// between perhaps.
func mainParameters(text string) ([]parameter, error) {
	var all []parameter
	offset, number := 0, 0
	for line := range strings.Lines(text) {
		body := strings.TrimSuffix(line, "\n")
		number++
		broken := func(hint, why string) error {
			return &Error{Path: postconf.MainCF, Line: number, Text: why, Hint: hint}
		}
		switch trimmed := strings.TrimLeft(body, whitespace); {
		case strings.ContainsRune(body, '\r'):
			return nil, broken(`convert the file: sed -i 's/\r$//' `+string(postconf.MainCF), "the line ends with a carriage return (CRLF)")
		case strings.ContainsRune(body, 0):
			return nil, broken(`take it out: sed -i 's/\x00//g' `+string(postconf.MainCF), "a null byte, at which Postfix stops reading")
		case trimmed == "", trimmed[0] == '#':
		case trimmed != body:
			if len(all) > 0 {
				all[len(all)-1].add(body, offset)
			}
		default:
			name, value, found := strings.Cut(body, "=")
			p := parameter{name: strings.TrimRight(name, whitespace), line: number, begin: offset, equals: offset + len(name) + 1}
			if !found || strings.ContainsAny(p.name, whitespace) || p.name == "" {
				return nil, broken(fmt.Sprintf("correct line %d of %s, then look at the file with postconf -n", number, postconf.MainCF), "this is neither a comment nor a setting (name = value)")
			}
			p.add(value, p.equals)
			all = append(all, p)
		}
		offset += len(line)
	}
	return all, nil
}

func (p *parameter) add(text string, offset int) {
	p.value = append(p.value, text...)
	for i := range len(text) {
		p.at = append(p.at, offset+i)
	}
}

// whitespace is white space as Postfix has it: that of ASCII.
const whitespace = " \t\n\v\f\r"

// find returns the setting of a name, nil if there is none. A second one is an error,
// since it is not the one that people see first.
func find(all []parameter, name string) (*parameter, error) {
	var found *parameter
	for i := range all {
		switch {
		case all[i].name != name:
		case found != nil:
			return nil, &Error{
				postconf.MainCF, all[i].line, name, fmt.Sprintf("set a second time, after line %d", found.line),
				"keep one of them; it is the last that counts: postconf " + name,
			}
		default:
			found = &all[i]
		}
	}
	return found, nil
}
