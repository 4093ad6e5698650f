package plan

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// A plan about many domains does the same many times. A summary counts changes that are
// alike, and names the first of them.
const (
	manyAlike = 6 // as many are counted
	examples  = 3 // as many are named then
)

// kind is what changes have in common that are alike.
type kind struct {
	op            Op
	before, after state.Kind
	secret        bool
	mode          fs.FileMode
	owner         state.Owner
	dir           string
	depth         int
	form, why     string
}

// kinds groups changes that are alike, in the order of the first of each. They do the same
// for the same reason to files that differ only in the name of a domain or key, in one
// directory or in sibling directories.
func kinds(cs []Change) [][]Change {
	var all [][]Change
	at := map[kind]int{}
	for _, c := range cs {
		k := kindOf(c)
		i, known := at[k]
		if !known {
			i = len(all)
			at[k] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], c)
	}
	return all
}

func kindOf(c Change) kind {
	dir, depth := c.Path.Dir(), strings.Count(string(c.Path), "/")
	if depth >= 4 { // not those below /etc/bind, say
		dir = dir.Dir()
	}
	name, form := nameAndForm(c)
	why := c.Why
	if strings.Contains(why, name) {
		why = strings.ReplaceAll(why, name, "…")
	}
	if strings.ContainsAny(why, "./") {
		why = names.ReplaceAllString(why, "…")
	}
	return kind{c.Op, c.Before.Kind, c.After.Kind, c.Before.Secret || c.After.Secret, c.After.Mode, c.After.Owner, string(dir), depth, form, why}
}

// names finds what may be a domain or a path in a reason.
var names = regexp.MustCompile(`[\w/-]+(\.[\w/-]+)+`)

// nameAndForm returns what a changed file is named after, and the rest of its name as a
// pattern: *.toml, db.*, * for a directory.
func nameAndForm(c Change) (name, form string) {
	name, ext := path.Base(string(c.Path)), ""
	prefix := ""
	if rest, found := strings.CutPrefix(name, "db."); found {
		name, prefix = rest, "db."
	} else if c.After.Kind != state.Directory && c.Before.Kind != state.Directory {
		ext = path.Ext(name)
		name = strings.TrimSuffix(name, ext)
	}
	return name, prefix + "*" + ext
}

// Repeats reports whether the plan does so many things that are alike that its summary
// says more than all of it.
func (p Plan) Repeats() bool {
	for _, st := range p.Stages {
		if len(st.Updates) >= manyAlike {
			return true
		}
		for _, k := range kinds(st.Changes) {
			if len(k) >= manyAlike {
				return true
			}
		}
	}
	return false
}

// counted says how many changes of a kind there are, of what and where, and names the first
// of them unless it has to be brief.
func counted(k []Change, brief bool) string {
	dir := k[0].Path.Dir()
	for _, c := range k {
		if c.Path.Dir() != dir {
			dir = dir.Dir() // they are alike, so it is that of all
			break
		}
	}
	many := number(k)
	what := text.Count(many, "file")
	switch c := k[0]; {
	case c.After.Kind == state.Directory || c.Before.Kind == state.Directory:
		what = text.CountOf(many, "directory", "directories")
	case c.Before.Secret || c.After.Secret:
		what = text.CountOf(many, "private key", "private keys")
	}
	what += " in " + string(dir)
	if brief {
		return what
	}
	var first []string
	for _, c := range k[:examples] {
		name := strings.TrimPrefix(string(c.Path), string(dir)+"/")
		if c.After.Secret {
			name, _, _ = strings.Cut(name, "/") // the domain, not the selector
		}
		first = append(first, name)
	}
	return fmt.Sprintf("%s (%s and %d more)", what, strings.Join(first, ", "), many-examples)
}

// number returns how many changes these are, with those that they count for.
func number(k []Change) int {
	n := len(k)
	for _, c := range k {
		n += c.More
	}
	return n
}
