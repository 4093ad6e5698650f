package templates

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxLine is what OpenDKIM reads of a table's line: it takes what follows for
// the next row.
const maxLine = 1023

// KeyRow is a row of the KeyTable, opendkim.conf(5).
type KeyRow struct {
	Name     string // by which the SigningTable names the key
	Domain   string // d= of the signature
	Selector string // s= of the signature
	Path     string // of the private key, absolute
}

// SigningRow is a row of a SigningTable of type file:.
type SigningRow struct {
	Pattern string // example.org, .example.org for what is below, or user@example.org
	Key     string // a Name of the KeyTable
}

// KeyTable renders the table of keys, sorted by name. A row that OpenDKIM
// would misread is an error: such rows stop mail, or crash the daemon.
func KeyTable(rows []KeyRow) ([]byte, error) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b KeyRow) int { return strings.Compare(a.Name, b.Name) })
	text, err := render("KeyTable.tmpl", rows)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("render KeyTable: key %q: %w", r.Name, err)
		}
		if i > 0 && strings.EqualFold(rows[i-1].Name, r.Name) {
			return nil, fmt.Errorf("render KeyTable: key %q: given twice", r.Name)
		}
	}
	return text, nil
}

func (r KeyRow) check() error {
	for _, f := range []struct{ what, value string }{
		{"name", r.Name}, {"domain", r.Domain}, {"selector", r.Selector}, {"path", r.Path},
	} {
		if f.value == "" {
			return fmt.Errorf("%s is empty", f.what)
		}
		if err := word(f.value, "#%:"); err != nil {
			return fmt.Errorf("%s %w", f.what, err)
		}
	}
	if !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf("path %q: not absolute, so OpenDKIM takes it for the key itself", r.Path)
	}
	if n := len(r.Name) + len(r.Domain) + len(r.Selector) + len(r.Path) + len(" ::"); n > maxLine {
		return fmt.Errorf("row has %d octets, OpenDKIM reads %d", n, maxLine)
	}
	return nil
}

// SigningTable renders the table of who is signed with which key, sorted by
// pattern.
func SigningTable(rows []SigningRow) ([]byte, error) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b SigningRow) int { return strings.Compare(a.Pattern, b.Pattern) })
	text, err := render("SigningTable.tmpl", rows)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("render SigningTable: %q: %w", r.Pattern, err)
		}
		if i > 0 && strings.EqualFold(rows[i-1].Pattern, r.Pattern) {
			return nil, fmt.Errorf("render SigningTable: %q: given twice", r.Pattern)
		}
	}
	return text, nil
}

func (r SigningRow) check() error {
	switch {
	case r.Pattern == "":
		return errors.New("pattern is empty")
	case r.Key == "":
		return errors.New("key name is empty, which crashes OpenDKIM")
	case strings.Contains(r.Pattern, "*"):
		return errors.New("pattern has a *, which never matches a domain in a table of type file:")
	case strings.HasPrefix(r.Pattern, "@") || strings.HasSuffix(r.Pattern, "@"):
		return errors.New("pattern is half an address")
	}
	for _, s := range []string{r.Pattern, r.Key} {
		if err := word(s, "#%:"); err != nil {
			return err
		}
	}
	if n := len(r.Pattern) + len(r.Key) + 1; n > maxLine {
		return fmt.Errorf("row has %d octets, OpenDKIM reads %d", n, maxLine)
	}
	return nil
}

// word accepts printable ASCII without white space and without the characters
// given.
func word(s, without string) error {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c > '~':
			return fmt.Errorf("%q: has white space, a control character or something beyond ASCII", s)
		case strings.IndexByte(without, c) >= 0:
			return fmt.Errorf("%q: has a %q", s, c)
		}
	}
	return nil
}

// CheckTables finds what is wrong with a pair of tables as they stand in
// files: rows that are not well formed or too long, names and patterns given
// twice, and keys that the KeyTable does not have. opendkim -n sees next to
// none of it.
func CheckTables(keyTable, signingTable []byte) []error {
	var errs []error
	report := func(table string, line int, err error) {
		errs = append(errs, fmt.Errorf("%s line %d: %w", table, line, err))
	}
	names := newSeen()
	for n, fields := range rowsOf("KeyTable", keyTable, report) {
		row, err := parseKeyRow(fields)
		if err == nil {
			err = row.check()
		}
		if err == nil {
			err = names.add(row.Name, n)
		}
		if err != nil {
			report("KeyTable", n, err)
		}
	}
	patterns := newSeen()
	for n, fields := range rowsOf("SigningTable", signingTable, report) {
		row := SigningRow{Pattern: fields[0]}
		if len(fields) > 1 {
			row.Key = fields[1]
		}
		err := row.check()
		switch {
		case len(fields) > 2:
			err = fmt.Errorf("%d words, want a pattern and a key name", len(fields))
		case err == nil && !names.has(row.Key):
			err = fmt.Errorf("key %q is not in KeyTable", row.Key)
		case err == nil:
			err = patterns.add(row.Pattern, n)
		}
		if err != nil {
			report("SigningTable", n, err)
		}
	}
	return errs
}

func parseKeyRow(fields []string) (KeyRow, error) {
	if len(fields) != 2 {
		return KeyRow{}, fmt.Errorf("%d words, want a name and domain:selector:path", len(fields))
	}
	parts := strings.Split(fields[1], ":")
	if len(parts) != 3 {
		return KeyRow{}, fmt.Errorf("%q: want domain:selector:path", fields[1])
	}
	return KeyRow{Name: fields[0], Domain: parts[0], Selector: parts[1], Path: parts[2]}, nil
}

// rowsOf yields line numbers and words, without comments and empty lines.
func rowsOf(table string, text []byte, report func(string, int, error)) func(func(int, []string) bool) {
	return func(yield func(int, []string) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			n++
			line = bytes.TrimSuffix(line, []byte("\n"))
			if len(line) > maxLine {
				report(table, n, fmt.Errorf("%d octets, OpenDKIM reads %d", len(line), maxLine))
				continue
			}
			line, _, _ = bytes.Cut(line, []byte("#"))
			if fields := strings.Fields(string(line)); len(fields) > 0 && !yield(n, fields) {
				return
			}
		}
	}
}

// seen remembers names and their lines. OpenDKIM matches without regard to
// case and takes the first.
type seen struct{ exact, folded map[string]int }

func newSeen() seen { return seen{map[string]int{}, map[string]int{}} }

func (s seen) has(name string) bool { return s.exact[name] > 0 }

func (s seen) add(name string, line int) error {
	if first := s.folded[strings.ToLower(name)]; first > 0 {
		return fmt.Errorf("%q is in line %d already, and the first one wins", name, first)
	}
	s.exact[name], s.folded[strings.ToLower(name)] = line, line
	return nil
}
