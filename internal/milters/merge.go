package milters

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Merge puts our milter into a list. Where it stands already, perhaps with the
// endpoint that it is about to leave, the entry keeps its place and the
// options that ours does not name; later entries for the same daemon go, since
// they would sign twice. A new entry goes to the end, after spam filters and
// others that change the message, but before OpenDMARC, which wants OpenDKIM's
// verdict. All other text stays byte for byte, except that a changed list is on
// one line, because postconf -e takes no other. An unchanged list is returned
// as it was.
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
// daemon is on its way to another one, it is still asked at the old one.
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

// Without takes our entries out of a list.
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

// list is a value, what it says and where. Changes are made from the back, so
// that the places of what is in front stay right.
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

// wellFormed refuses an entry that Postfix would read otherwise.
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

// drop takes the entry out, with the separator before it, or behind it if it
// is the first.
func (l *list) drop(i int) string {
	if i > 0 {
		return l.text[:l.tokens[i-1].end()] + l.text[l.tokens[i].end():]
	}
	rest := strings.TrimLeft(l.text[l.tokens[0].end():], separators)
	return l.text[:l.tokens[0].at] + rest
}

// IsOpenDMARC recognises OpenDMARC by its name or by the port its
// documentation uses.
func IsOpenDMARC(m Milter) bool {
	return strings.Contains(strings.ToLower(m.Endpoint), "opendmarc") || strings.HasSuffix(m.Endpoint, ":8893")
}

// asksOpenDMARC reports whether the entry leads to OpenDMARC, perhaps among
// others by way of a parameter ($mua_milters).
func (o Ours) asksOpenDMARC(m Milter) bool {
	if IsOpenDMARC(m) {
		return true
	}
	meant, err := Parse(o.Expand(m.Endpoint))
	return err == nil && slices.ContainsFunc(meant, IsOpenDMARC)
}

// replace gives the entry an endpoint and options, unless it has them.
func (l *list) replace(at int, endpoint string, set []state.Setting) string {
	options := withOptions(l.entries[at].Options, set)
	if l.entries[at].Endpoint == endpoint && slices.Equal(options, l.entries[at].Options) {
		return l.text
	}
	text := Milter{Endpoint: endpoint, Options: options}.String()
	return l.text[:l.tokens[at].at] + text + l.text[l.tokens[at].end():]
}

// withOptions sets our options among those that stand there.
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
