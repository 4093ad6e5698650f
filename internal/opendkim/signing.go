package opendkim

import (
	"errors"
	"strings"
)

// Row says with which key the mail of an address is signed.
type Row struct {
	// Pattern is what the address in From: is like, as a SigningTable of the type
	// file: has it: example.org, .example.org for all below it, user@example.org,
	// * for every address.
	Pattern string
	// Text is the pattern as written.
	Text     string
	Domain   string // d= of the signature
	Selector string // s=
	Identity string // i=, "" for none; a % stands for the domain in From:
	KeyFile  string // absolute
	// KeyAt is where the file of the key is named.
	KeyAt Place
	Place

	match match // what Pattern says
}

// Ignored is a row without effect.
type Ignored struct {
	Place
	Why string
}

// key is a row of the KeyTable.
type key struct {
	name, value string // domain:selector:path
	at          Place
	used        bool
}

// tables parses KeyTable and SigningTable.
func (c Conf) tables(keyTable, signingTable Setting, read Read) ([]Row, []Ignored, error) {
	keySet, err1 := c.open(keyTable, read)
	signSet, err2 := c.open(signingTable, read)
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	names := map[string]*key{}
	var order []*key
	for _, e := range keySet.entries {
		if names[e.key] == nil { // the first of two counts
			k := &key{name: e.key, at: e.at, value: e.value}
			names[e.key], order = k, append(order, k)
		}
	}
	var all []Row
	var left []Ignored
	var errs []error
	for _, e := range signSet.entries {
		m, matches, err := signSet.match(e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !matches {
			left = append(left, Ignored{e.at, e.key + " is like no address, so the row signs nothing"})
			continue
		}
		row, err := resolve(e, m, names)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, row)
	}
	for _, k := range order {
		if !k.used {
			left = append(left, Ignored{k.at, "no row of SigningTable names the key " + k.name})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	all, more, err := c.resolveOrder(all, signSet.kind == pattern)
	return all, append(left, more...), err
}

// match parses the key of a row of SigningTable.
func (d dataset) match(e entry) (match, bool, error) {
	if d.kind != pattern {
		m, matches := exact(e.key)
		return m, matches, nil
	}
	m, matches, understood := wildcard(e.key)
	if !understood {
		return match{}, false, errorAt(e.at, "write *@DOMAIN, *@*.DOMAIN for what is below it, or a whole address",
			"the pattern %s matches in a way that is not understood", e.key)
	}
	return m, matches, nil
}

// resolve finds the key of a row. In a key name, a domain and a path, % stands for the
// domain of the address.
func resolve(e entry, m match, names map[string]*key) (Row, error) {
	name, identity, _ := strings.Cut(e.value, ":")
	switch {
	case name == "":
		return Row{}, errorAt(e.at, "add the name of the key, or take the row out", "the row names no key, which crashes OpenDKIM")
	case name == "%" && !m.isSingleHost():
		return Row{}, errorAt(e.at, "write one row for each domain", "the key is that of any domain (%%) that %s is about", e.key)
	case name == "%":
		name = m.host
	}
	k := names[name]
	if k == nil {
		return Row{}, errorAt(e.at, "correct the name, or take the row out", "KeyTable has no key %q: mail of this row is not accepted", name)
	}
	k.used = true
	parts := strings.SplitN(k.value, ":", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Row{}, errorAt(k.at, "write domain:selector:path", "the key %s is not written as domain:selector:path", k.name)
	}
	row := Row{
		Pattern: m.String(), Text: e.key, Domain: parts[0], Selector: parts[1], Identity: identity,
		KeyFile: parts[2], KeyAt: k.at, Place: e.at, match: m,
	}
	if row.Domain == "%" {
		if !m.isSingleHost() {
			return Row{}, errorAt(e.at, "write one row for each domain",
				"the key %s signs as whatever domain the mail is from (%%, in %s), and %s is about more than one", k.name, k.at, e.key)
		}
		row.Domain = m.host
	}
	if !strings.HasPrefix(row.KeyFile, "/") { // the text itself is never repeated: it may be the key
		return Row{}, errorAt(k.at, "put the key into a file that only OpenDKIM can read, and name it with its whole path",
			"the key %s is not in a file with an absolute path", k.name)
	}
	if row.Domain != strings.ToLower(row.Domain) {
		return Row{}, errorAt(k.at, "write it in lower case, which means the same to receivers", "the domain %s would be written otherwise in d=", row.Domain)
	}
	row.KeyFile = strings.ReplaceAll(row.KeyFile, "%", row.Domain)
	return row, nil
}

// resolveOrder drops the rows that others hide. In a refile: the first match counts, in
// our tables the most specific one; rows for which that makes a difference are an
// error.
func (c Conf) resolveOrder(all []Row, ordered bool) ([]Row, []Ignored, error) {
	var rows rowIndex
	var left []Ignored
	var errs []error
	several := c.Yes("MultipleSignatures")
	first := map[match]Row{}
	for _, r := range all {
		hides, hidden := first[r.match]
		if ordered || several {
			var err error
			hides, hidden, err = r.hiddenBy(&rows, ordered, several)
			errs = append(errs, err)
		}
		if hidden {
			left = append(left, Ignored{r.Place, r.Text + " never counts: " + hides.Place.String() + " matches first"})
			continue
		}
		rows.add(r)
		first[r.match] = r
	}
	return rows.rows, left, errors.Join(errs...)
}

// hiddenBy returns a row before this one that hides it, or an error if the two would
// mean something else in an unordered table.
func (r Row) hiddenBy(rows *rowIndex, ordered, several bool) (hides Row, hidden bool, err error) {
	m := r.match
	for _, i := range rows.related(m.host) {
		row := rows.rows[i]
		o := row.match
		switch {
		case !m.overlaps(o):
		case several && (ordered || m != o):
			return Row{}, false, errorAt(r.Place, "let one row match each address, or set MultipleSignatures no",
				"mail may match this row and that of %s, and would be signed by both (MultipleSignatures)", row.Place)
		case m.within(o):
			return row, true, nil
		case !o.within(m) && o.user != "" && !row.signsLike(r):
			return Row{}, false, errorAt(r.Place, "write a row for the addresses that are in both",
				"mail may match this row and that of %s, and which comes first would change", row.Place)
		}
	}
	return Row{}, false, nil
}

// signsLike reports whether two rows make the same signature.
func (r Row) signsLike(o Row) bool {
	return r.Domain == o.Domain && r.Selector == o.Selector && r.KeyFile == o.KeyFile && r.Identity == o.Identity
}
