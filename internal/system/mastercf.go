package system

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mailsetup/internal/mastercf"
	"mailsetup/internal/state"
)

// master sets options of services. postconf -P could do it, but it accepts no value
// with a space and realigns the whole entry; so it only checks what our own splice
// made: Postfix must see no difference but the settings.
func (ed editor) master(ctx context.Context, e state.MasterEdit, current state.Object) ([]byte, error) {
	if current.Kind == state.Absent {
		return nil, errNoPostfix
	}
	text, err := mastercf.Set(string(current.Content), e.Set)
	var at *mastercf.Error
	if errors.As(err, &at) {
		return nil, &UnusableError{e.Path, at.Line, at.Text, "correct it, then look at it with postconf -M and postfix check"}
	}
	if err != nil || text == string(current.Content) {
		return current.Content, err
	}
	main, err := ed.readSibling(e.Path, "main.cf")
	if err != nil {
		return nil, err
	}
	was, err := ed.services(ctx, e.Path, main, current.Content)
	if err != nil {
		return nil, err
	}
	is, err := ed.services(ctx, e.Path, main, []byte(text))
	if err != nil {
		return nil, err
	}
	was.set(e.Set)
	return []byte(text), was.differ(is)
}

// parsedServices is master.cf as Postfix reads it.
type parsedServices struct {
	entries []state.Service   // postconf -M, without lines
	options map[string]string // postconf -P: what counts, by service/type/name
}

// services asks postconf(1) how it parses a master.cf.
func (ed editor) services(ctx context.Context, p state.Path, main, master []byte) (parsedServices, error) {
	seen := parsedServices{options: map[string]string{}}
	err := ed.scratchConf(p, main, master, func(dir string) error {
		entries, err := ed.ask(ctx, "postconf", "-c", dir, "-M")
		if err != nil {
			return err
		}
		options, err := ed.ask(ctx, "postconf", "-c", dir, "-P")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(options.Stdout)) {
			key, value, _ := strings.Cut(line, "=")
			seen.options[squeeze(key)] = squeeze(value)
		}
		seen.entries, err = mastercf.Parse(string(entries.Stdout))
		return err
	})
	for i, s := range seen.entries {
		seen.entries[i].Line = 0
		for j, o := range s.Options {
			s.Options[j] = state.Option{Name: o.Name, Value: squeeze(o.Value)}
		}
	}
	return seen, err
}

// set makes the changes that the edit should have made.
func (s parsedServices) set(settings []state.ServiceSetting) {
	for _, set := range settings {
		value := squeeze(set.Value)
		s.options[set.Service+"/"+set.Name] = value
		i := slices.IndexFunc(s.entries, func(e state.Service) bool { return e.Name == set.Service })
		if i < 0 {
			continue // which is seen when the two are compared
		}
		options := &s.entries[i].Options
		at := -1
		for j, o := range *options {
			if o.Name == set.Name {
				at = j
			}
		}
		if at < 0 {
			at = len(*options)
			*options = append(*options, state.Option{Name: set.Name})
		}
		(*options)[at].Value = value
	}
}

// differ returns an error about the first difference in how Postfix parses the file.
func (s parsedServices) differ(is parsedServices) error {
	for i := range max(len(s.entries), len(is.entries)) {
		if i >= len(s.entries) || i >= len(is.entries) || !reflect.DeepEqual(s.entries[i], is.entries[i]) {
			return fmt.Errorf("postconf -M would show more than our settings changed, in entry %d: %s", i+1, s.at(i, is))
		}
	}
	if !maps.Equal(s.options, is.options) {
		return errors.New("postconf -P would show more than our settings changed")
	}
	return nil
}

func (s parsedServices) at(i int, is parsedServices) string {
	if i < len(s.entries) {
		return s.entries[i].Name
	}
	return is.entries[i].Name
}
