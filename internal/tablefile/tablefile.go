// Package tablefile knows the tables of Postfix that postmap(1) and postalias(1) make of a
// text which people edit. It is pure text.
package tablefile

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"time"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// Table is a table of main.cf(5) or master.cf(5) that is a file.
type Table struct {
	Type, Text string // hash and /etc/postfix/virtual
	Aliases    bool   // of postalias(1)
}

// suffixes are those of the files that postmap(1) makes, by the type of the table.
var suffixes = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag"}

// File returns the file that Postfix looks into.
func (t Table) File() string { return t.Text + suffixes[t.Type] }

// Files returns the text and what may be made of it.
func (t Table) Files() []string {
	all := []string{t.Text}
	for _, typ := range slices.Sorted(maps.Keys(suffixes)) {
		all = append(all, t.Text+suffixes[typ])
	}
	return all
}

// String returns the table as Postfix has it.
func (t Table) String() string { return t.Type + ":" + t.Text }

// Argv makes the table. It has the type: postmap(1) makes one of default_database_type
// otherwise, and Postfix goes on looking into the old one.
func (t Table) Argv() []string {
	if t.Aliases {
		return []string{"postalias", t.String()}
	}
	return []string{"postmap", t.String()}
}

// Made is what the times of files say of a table.
type Made struct {
	Missing bool // there is a text, and no table
	Older   bool // the text was edited since
	// Other is a table of another type that was made of the text since, and that Postfix
	// does not look into; "" for none.
	Other string
}

// ClockSlack is how far file times and process times may be apart: both come in steps.
const ClockSlack = 100 * time.Millisecond

// Made judges a table by the times at which the files were written. Files that are not
// there are missing in at.
func (t Table) Made(at map[string]time.Time) (m Made) {
	text, there := at[t.Text]
	made, is := at[t.File()]
	m.Missing, m.Older = there && !is, is && text.After(made.Add(ClockSlack))
	if !m.Missing && !m.Older {
		return m
	}
	for _, file := range t.Files()[1:] {
		if file != t.File() && at[file].After(made) {
			m.Other = file
			break
		}
	}
	return m
}

// unset are parameters whose default names tables.
var unset = []string{"alias_maps"}

// named matches a table in a value of main.cf.
var named = regexp.MustCompile(`\b(hash|btree|lmdb|cdb|dbm):(/[^\s,{}]+)`)

// Named returns the tables that main.cf and master.cf name, sorted by file; not those that
// only newaliases(1) makes.
func Named(p *state.Postfix) (all []Table) {
	if p == nil {
		return nil
	}
	add := func(name, value string) {
		for _, m := range named.FindAllStringSubmatch(value, -1) {
			if name != "alias_database" {
				all = append(all, Table{m[1], m[2], name == "alias_maps"})
			}
		}
	}
	for _, name := range slices.Concat(unset, slices.Sorted(maps.Keys(p.Raw)), slices.Sorted(maps.Keys(p.Value))) {
		add(name, postconf.Effective(p, nil, name))
	}
	for _, s := range p.Services {
		for _, o := range s.Options {
			add(o.Name, cmp.Or(o.Expanded, o.Value))
		}
	}
	slices.SortStableFunc(all, func(a, b Table) int {
		return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Type, b.Type))
	})
	return slices.CompactFunc(all, func(a, b Table) bool { return a.String() == b.String() })
}
