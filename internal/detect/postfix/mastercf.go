package postfix

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const masterCf state.Path = "/etc/postfix/master.cf"

// parse reads the services of master.cf(5).
func (c postconf) parse() ([]state.Service, error) {
	text, err := source.Text(c.read, masterCf)
	if err != nil || text == nil {
		return nil, err
	}
	list, err := mastercf.Parse(string(text))
	var at *mastercf.Error
	if errors.As(err, &at) {
		return nil, &system.UnusableError{
			Path: masterCf, Line: at.Line, Text: at.Text, Hint: "correct it, then look at it with postconf -M and postfix check",
		}
	}
	return list, err
}

// agree checks that Postfix parses the services as we do (postconf -M), since we are
// going to change them, and adds the effective values of their options (-Px).
func agree(list []state.Service, seen, expanded string) error {
	if err := sameServices(list, seen); err != nil {
		return err
	}
	return expand(list, expanded)
}

// disagree returns the error about a service that Postfix parses differently.
func disagree(line int, service string) error {
	return &system.UnusableError{
		Path: masterCf, Line: line, Text: fmt.Sprintf("postconf -M and mailsetup do not read the service %s alike", service),
		Hint: fmt.Sprintf("compare the lines with postconf -M %s, and write them as master(5) describes", service),
	}
}

// sameServices compares the services with the output of postconf -M, which has each on
// one line.
func sameServices(list []state.Service, printed string) error {
	seen, err := mastercf.Parse(printed)
	if err != nil {
		return fmt.Errorf("read what postconf -M prints: %w", err)
	}
	for i, s := range list {
		if i >= len(seen) || !sameService(s, seen[i]) {
			return disagree(s.Line, s.Name)
		}
	}
	if len(seen) > len(list) {
		return disagree(0, seen[len(list)].Name)
	}
	return nil
}

// sameService compares services without line numbers and amounts of white space.
func sameService(a, b state.Service) bool {
	return a.Name == b.Name && a.Command == b.Command &&
		slices.EqualFunc(a.Args, b.Args, func(x, y string) bool { return squeeze(x) == squeeze(y) }) &&
		slices.EqualFunc(a.Options, b.Options, func(x, y state.Option) bool {
			return x.Name == y.Name && squeeze(x.Value) == squeeze(y.Value)
		})
}

// squeeze turns any white space into one space, as postconf(1) prints values.
func squeeze(value string) string {
	return strings.Join(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(whitespace, r) }), " ")
}

// expand adds effective values from lines "service/type/name = value" of postconf -Px.
// The name of a service may have slashes, a parameter never.
func expand(list []state.Service, printed string) error {
	values := assignments(printed)
	for i, s := range list {
		counted := map[string]bool{}
		for j, o := range slices.Backward(s.Options) {
			key := s.Name + "/" + o.Name
			value, found := values[key]
			if !found {
				return disagree(o.Line, s.Name)
			}
			if !counted[o.Name] {
				list[i].Options[j].Expanded = value
			}
			counted[o.Name] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(list, func(s state.Service) bool { return isOptionOf(s, key) }) {
			return disagree(0, key[:max(0, strings.LastIndexByte(key, '/'))])
		}
	}
	return nil
}

// isOptionOf reports whether a key of postconf's is an option of the service.
func isOptionOf(s state.Service, key string) bool {
	name, ours := strings.CutPrefix(key, s.Name+"/")
	if !ours {
		return false
	}
	_, found := s.Option(name)
	return found
}
