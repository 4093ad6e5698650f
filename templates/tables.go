package templates

import (
	"bytes"
	"cmp"
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

// String returns the row as a line of the table.
func (r KeyRow) String() string { return r.Name + " " + r.Domain + ":" + r.Selector + ":" + r.Path }

// SigningRow is a row of a SigningTable of type file:.
type SigningRow struct {
	Pattern string // example.org, .example.org for what is below, or user@example.org
	Key     string // a Name of the KeyTable
	// Signer is i= of the signature, "" for none; % in it stands for the domain
	// of the address.
	Signer string
}

// String returns the row as a line of the table.
func (r SigningRow) String() string { return r.Pattern + " " + r.Key + r.signer() }

// Tables are both tables of OpenDKIM, as rendered from their rows.
type Tables struct {
	KeyTable, SigningTable []byte

	keys    []KeyRow
	signing []SigningRow
}

// NewTables renders both tables and checks that one fits the other.
func NewTables(keys []KeyRow, signing []SigningRow) (*Tables, error) {
	keyTable, err := KeyTable(keys)
	if err != nil {
		return nil, err
	}
	signingTable, err := SigningTable(signing)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(keys))
	for _, k := range keys {
		names[k.Name] = true
	}
	for _, r := range signing {
		if !names[r.Key] {
			return nil, fmt.Errorf("render SigningTable: %q: key %q is not in KeyTable", r.Pattern, r.Key)
		}
	}
	return &Tables{keyTable, signingTable, keys, signing}, nil
}

// RenderedFrom reports whether the tables were rendered from the rows; nil is from
// none.
func (t *Tables) RenderedFrom(keys []KeyRow, signing []SigningRow) bool {
	return t != nil && slices.Equal(keys, t.keys) && slices.Equal(signing, t.signing)
}

// KeyTable renders the table of keys, sorted by name. A row that OpenDKIM
// would misread is an error: such rows stop mail, or crash the daemon.
func KeyTable(rows []KeyRow) ([]byte, error) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b KeyRow) int { return compareFold(a.Name, b.Name) })
	text, err := render("KeyTable.tmpl", lines(rows))
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
		if err := checkWord(f.value, "#%:"); err != nil {
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

// SigningTable renders the table of senders and their keys, sorted by pattern.
func SigningTable(rows []SigningRow) ([]byte, error) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b SigningRow) int { return compareFold(a.Pattern, b.Pattern) })
	text, err := render("SigningTable.tmpl", lines(rows))
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
	case strings.Contains(strings.TrimSuffix(r.Pattern, "@*"), "*") && r.Pattern != "*":
		return errors.New("pattern has a *, which matches no domain in a file: table")
	case strings.HasPrefix(r.Pattern, "@") || strings.HasSuffix(r.Pattern, "@"):
		return errors.New("pattern is half an address")
	}
	for _, s := range []string{r.Pattern, r.Key} {
		if err := checkWord(s, "#%:"); err != nil {
			return err
		}
	}
	if err := checkWord(r.Signer, "#:"); err != nil {
		return err
	}
	if n := len(r.Pattern) + len(r.Key) + 1 + len(r.signer()); n > maxLine {
		return fmt.Errorf("row has %d octets, OpenDKIM reads %d", n, maxLine)
	}
	return nil
}

// signer is i= as it stands in the row.
func (r SigningRow) signer() string {
	if r.Signer == "" {
		return ""
	}
	return ":" + r.Signer
}

// lines joins the rows of a table. There may be ten thousand, for which a template's
// loop takes long.
func lines[Row fmt.Stringer](rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(r.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// compareFold compares in any case of letters, as OpenDKIM does.
func compareFold(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}

// checkWord accepts printable ASCII without white space and without the characters
// given.
func checkWord(s, without string) error {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("%q: has white space, a control character or something beyond ASCII", s)
		}
	}
	if i := strings.IndexAny(s, without); i >= 0 {
		return fmt.Errorf("%q: has a %q", s, s[i])
	}
	return nil
}

// CheckTables finds what is wrong with a pair of table files: malformed or too long
// rows, duplicate names and patterns, and keys missing from the KeyTable. opendkim -n
// detects next to none of it.
func CheckTables(keyTable, signingTable []byte) []error {
	names := newSeen(keyTable)
	errs := checkRows("KeyTable", keyTable, func(line int, fields []string) error {
		row, err := parseKeyRow(fields)
		if err != nil {
			return err
		}
		if err := row.check(); err != nil {
			return err
		}
		return names.add(row.Name, line)
	})
	patterns := newSeen(signingTable)
	return append(errs, checkRows("SigningTable", signingTable, func(line int, fields []string) error {
		row, err := parseSigningRow(fields)
		if err != nil {
			return err
		}
		if err := row.check(); err != nil {
			return err
		}
		if !names.has(row.Key) {
			return fmt.Errorf("key %q is not in KeyTable", row.Key)
		}
		return patterns.add(row.Pattern, line)
	})...)
}

// checkRows calls check with the words of each row, without comments and
// empty lines.
func checkRows(table string, text []byte, check func(line int, fields []string) error) []error {
	var errs []error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSuffix(line, []byte("\n"))
		row, _, _ := bytes.Cut(line, []byte("#"))
		fields := strings.Fields(string(row))
		var err error
		switch {
		case len(line) > maxLine:
			err = fmt.Errorf("%d octets, OpenDKIM reads %d", len(line), maxLine)
		case len(fields) > 0:
			err = check(n, fields)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s line %d: %w", table, n, err))
		}
	}
	return errs
}

func parseSigningRow(fields []string) (SigningRow, error) {
	switch len(fields) {
	case 1:
		return SigningRow{Pattern: fields[0]}, nil
	case 2:
		key, signer, _ := strings.Cut(fields[1], ":")
		return SigningRow{Pattern: fields[0], Key: key, Signer: signer}, nil
	}
	return SigningRow{}, fmt.Errorf("%d words, want a pattern and a key name", len(fields))
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

// seen remembers names and their lines. OpenDKIM takes the first of several. It
// looks up addresses without regard to case but key names exactly, so has is
// the stricter and add the broader of the two.
type seen map[string]named // by the name in lower case

type named struct {
	name string
	line int
}

func newSeen(table []byte) seen { return make(seen, bytes.Count(table, []byte("\n"))) }

func (s seen) has(name string) bool {
	first, there := s[strings.ToLower(name)]
	return there && first.name == name
}

func (s seen) add(name string, line int) error {
	folded := strings.ToLower(name)
	if first := s[folded].line; first > 0 {
		return fmt.Errorf("%q is in line %d already, and the first one wins", name, first)
	}
	s[folded] = named{name, line}
	return nil
}
