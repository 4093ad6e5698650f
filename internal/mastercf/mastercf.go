// Package mastercf reads master.cf(5) and sets options of its services. Pure:
// text in, text out, and every byte that nobody asked to change stays.
package mastercf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Error is a line that Postfix would refuse, or parse differently than it looks.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Parse returns the services in the order of the file, with values as Postfix reads
// them: lines joined, braces around a whole assignment removed.
func Parse(text string) ([]state.Service, error) {
	entries, err := parse(text)
	if err != nil {
		return nil, err
	}
	services := make([]state.Service, 0, len(entries))
	for _, e := range entries {
		services = append(services, e.service)
	}
	return services, nil
}

// entry is a service with the positions of its parts.
type entry struct {
	logical
	service state.Service
	options []option // as service.Options
	tail    int      // where the command and its options end, before other arguments
}

// option is one -o name=value.
type option struct {
	whole    span // name=value, with the braces around it
	value    span
	braced   bool // -o { name = value }
	attached bool // -oname=value
}

// The fields before the arguments of the command.
const (
	typeField    = 1
	commandField = 7
)

func parse(text string) ([]entry, error) {
	var entries []entry
	for _, l := range logicals(text) {
		e := entry{logical: l}
		if err := e.read(text); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// read parses the entry as master(8) and postconf(1) do.
func (e *entry) read(text string) error {
	line := func(i int) int { return 1 + strings.Count(text[:e.at[i]], "\n") }
	if i := bytes.IndexByte(e.joined, 0); i >= 0 {
		return &Error{line(i), "a null byte, at which Postfix stops reading"}
	}
	words := e.words()
	if len(words) <= commandField {
		return &Error{line(0), fmt.Sprintf("%q has %d fields; a service has 8 at least: name, type, private, unpriv, chroot, wakeup, maxproc, command",
			e.text(words[0]), len(words))}
	}
	kind := e.text(words[typeField])
	if !slices.Contains([]string{"inet", "unix", "fifo", "pass", "unix-dgram"}, kind) {
		return &Error{line(words[typeField].from), fmt.Sprintf("%q is no type of a service", kind)}
	}
	e.service = state.Service{
		Name: e.text(words[0]) + "/" + kind, Command: e.text(words[commandField]), Line: line(0),
	}
	e.tail = words[commandField].to
	return e.arguments(words[commandField+1:], line)
}

// arguments parses the options, which end at the first other word.
func (e *entry) arguments(words []span, line func(int) int) error {
	for len(words) > 0 {
		w := words[0]
		word := e.text(w)
		if word[0] != '-' || word == "-" || word == "--" {
			break
		}
		e.tail, words = w.to, words[1:]
		// Letters without a value may stand before: -vo name=value.
		letters, _, found := strings.Cut(word, "o")
		if letters != "-" {
			e.service.Args = append(e.service.Args, letters)
		}
		if !found {
			continue
		}
		o := option{whole: span{w.from + len(letters) + len("o"), w.to}, attached: true}
		if o.whole.from == o.whole.to {
			if len(words) == 0 {
				return &Error{line(w.from), e.service.Name + ": nothing follows -o"}
			}
			o.whole, o.attached = words[0], false
			e.tail, words = words[0].to, words[1:]
		}
		if !e.assignment(o, line) {
			return &Error{line(o.whole.from), fmt.Sprintf("%s: -o %s is not name=value", e.service.Name, e.text(o.whole))}
		}
		last := e.service.Options[len(e.service.Options)-1]
		if refersTo(last.Value, last.Name) {
			return &Error{last.Line, fmt.Sprintf("%s: -o %s=%s refers to itself, which Postfix cannot expand", e.service.Name, last.Name, last.Value)}
		}
	}
	for _, w := range words {
		if inner, ok := e.inside(w); ok {
			w = inner
		}
		e.service.Args = append(e.service.Args, e.text(w))
	}
	return nil
}

// assignment adds an option; false if it is none.
func (e *entry) assignment(o option, line func(int) int) bool {
	body, ok := o.whole, true
	if e.joined[body.from] == '{' {
		o.braced = true
		// The daemon would be given the braces, too.
		if body, ok = e.inside(o.whole); !ok || o.attached {
			return false
		}
	}
	equals := bytes.IndexByte(e.joined[body.from:body.to], '=')
	if equals < 0 {
		return false
	}
	name := e.trim(span{body.from, body.from + equals})
	if name.from == name.to || bytes.ContainsFunc(e.joined[name.from:name.to], func(r rune) bool { return r < 0x80 && space(byte(r)) }) {
		return false
	}
	o.value = e.trim(span{body.from + equals + 1, body.to})
	if o.value.from == o.value.to {
		o.value = span{body.from + equals + 1, body.from + equals + 1}
	}
	e.options = append(e.options, o)
	e.service.Options = append(e.service.Options, state.Option{
		Name: e.text(name), Value: e.text(o.value), Line: line(name.from),
	})
	return true
}

// refersTo reports whether a value refers to a parameter: $name, ${name} or $(name). In
// a service's own smtpd_milters that cannot mean the one of main.cf.
func refersTo(value, name string) bool {
	for {
		_, after, found := strings.Cut(value, "$")
		if !found {
			return false
		}
		if rest, escaped := strings.CutPrefix(after, "$"); escaped {
			value = rest
			continue
		}
		value = after
		rest, here := strings.CutPrefix(strings.TrimLeft(after, "({"), name)
		if here && (rest == "" || !strings.Contains("_?:", rest[:1]) && !alphanumeric(rest[0])) {
			return true
		}
	}
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
