package milters

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Merge puts our milter into a list. An existing entry, perhaps with the endpoint that
// it is about to leave, keeps its place and the options that ours does not name;
// further entries for the same daemon are removed, since they would sign twice. A new
// entry goes to the end, after spam filters and others that change the message, but
// before OpenDMARC, which needs OpenDKIM's result. All other text stays byte for byte,
// except that a changed list is on one line, because postconf -e accepts no other.
func (o Ours) Merge(value string) (merged string, changed bool, err error) {
	l, err := o.read(value)
	if err != nil {
		return "", false, err
	}
	at := slices.IndexFunc(l.entries, o.Is)
	if at < 0 {
		before := slices.IndexFunc(l.entries, o.asksOpenDMARC)
		return l.changed(l.insert(Milter{Endpoint: o.Endpoint, Options: o.Options}.String(), before))
	}
	for i := len(l.entries) - 1; i > at; i-- {
		if o.Is(l.entries[i]) {
			l.text = l.drop(i)
		}
	}
	return l.changed(l.replace(at, o.Endpoint, o.Options))
}

// SetOptions sets our options on our entries and leaves their endpoints: while the
// daemon moves to another endpoint, Postfix still asks it at the old one.
func (o Ours) SetOptions(value string) (held string, changed bool, err error) {
	l, err := o.read(value)
	if err != nil {
		return "", false, err
	}
	for i, m := range slices.Backward(l.entries) {
		if o.Is(m) {
			l.text = l.replace(i, m.Endpoint, o.Options)
		}
	}
	return l.changed(l.text)
}

// Without removes our entries from a list.
func (o Ours) Without(value string) (rest string, changed bool, err error) {
	l, err := o.read(value)
	if err != nil {
		return "", false, err
	}
	for i, m := range slices.Backward(l.entries) {
		if o.Is(m) {
			l.text = l.drop(i)
		}
	}
	return l.changed(l.text)
}

// list is a parsed list with the positions of its entries. Changes are made from the
// end, so that positions before them stay valid.
type list struct {
	original, text string
	entries        []Milter
	tokens         []token
}

func (o Ours) read(value string) (*list, error) {
	if err := wellFormed(o.Milter); err != nil {
		return nil, err
	}
	entries, err := Parse(value)
	if err != nil {
		return nil, err
	}
	tokens, err := split(value)
	return &list{original: value, text: value, entries: entries, tokens: tokens}, err
}

func (l *list) changed(text string) (string, bool, error) {
	if text == l.original {
		return text, false, nil
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text), true, nil
}

// wellFormed refuses an entry that Postfix would parse differently.
func wellFormed(m Milter) error {
	m.Raw = ""
	list, err := Parse(m.String())
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].Endpoint != m.Endpoint || !slices.Equal(list[0].Options, m.Options) {
		return fmt.Errorf("milter %q: Postfix would read it otherwise", m.String())
	}
	return nil
}

// insert adds the text before an entry, or at the end if that is -1.
func (l *list) insert(text string, at int) string {
	if len(l.tokens) == 0 {
		return text
	}
	if at < 0 {
		end := l.tokens[len(l.tokens)-1].end()
		return l.text[:end] + ", " + text
	}
	start := l.tokens[at].at
	return l.text[:start] + text + ", " + l.text[start:]
}

// drop removes the entry, with the separator before it, or after it if it is the first.
func (l *list) drop(i int) string {
	if i > 0 {
		return l.text[:l.tokens[i-1].end()] + l.text[l.tokens[i].end():]
	}
	rest := strings.TrimLeft(l.text[l.tokens[0].end():], separators)
	return l.text[:l.tokens[0].at] + rest
}

// IsOpenDMARC recognises OpenDMARC by its name or its documented port.
func IsOpenDMARC(m Milter) bool {
	return strings.Contains(strings.ToLower(m.Endpoint), "opendmarc") || strings.HasSuffix(m.Endpoint, ":8893")
}

// asksOpenDMARC reports whether the entry is OpenDMARC, or a parameter ($mua_milters)
// with it.
func (o Ours) asksOpenDMARC(m Milter) bool {
	if IsOpenDMARC(m) {
		return true
	}
	meant, err := Parse(o.Expand(m.Endpoint))
	return err == nil && slices.ContainsFunc(meant, IsOpenDMARC)
}

// replace sets the endpoint and options of the entry, unless it has them.
func (l *list) replace(at int, endpoint string, set []state.Setting) string {
	options := withOptions(l.entries[at].Options, set)
	if l.entries[at].Endpoint == endpoint && slices.Equal(options, l.entries[at].Options) {
		return l.text
	}
	text := Milter{Endpoint: endpoint, Options: options}.String()
	return l.text[:l.tokens[at].at] + text + l.text[l.tokens[at].end():]
}

// withOptions returns the options of an entry with ours set.
func withOptions(theirs, ours []state.Setting) []state.Setting {
	out := slices.Clone(theirs)
	for _, o := range ours {
		i := slices.IndexFunc(out, func(s state.Setting) bool { return s.Name == o.Name })
		if i < 0 {
			out = append(out, o)
			continue
		}
		out[i] = o
		// A later setting of the same name would win.
		out = slices.Concat(out[:i+1], slices.DeleteFunc(slices.Clone(out[i+1:]), func(s state.Setting) bool { return s.Name == o.Name }))
	}
	return out
}

// ErrBefore says that a milter stands in front of the one whose results it needs.
var ErrBefore = errors.New("it stands in front")

// MergeBehind puts our milter into a list directly behind another one, whose results it
// needs. An existing entry keeps its place and its options, and gets our endpoint; a port
// stays as it is written, since all names of this host lead there.
func (o Ours) MergeBehind(value string, first Ours) (merged string, changed bool, err error) {
	l, err := o.read(value)
	if err != nil {
		return "", false, err
	}
	at, needs := slices.IndexFunc(l.entries, o.Is), slices.IndexFunc(l.entries, first.Is)
	switch {
	case needs < 0:
		return value, false, nil
	case at >= 0 && at < needs:
		return "", false, ErrBefore
	case at >= 0 && strings.HasPrefix(o.Endpoint, "inet:"):
		return value, false, nil
	case at >= 0:
		return l.changed(l.replace(at, o.Endpoint, nil))
	case needs+1 == len(l.entries):
		needs = -2
	}
	return l.changed(l.insert(Milter{Endpoint: o.Endpoint, Options: o.Options}.String(), needs+1))
}
