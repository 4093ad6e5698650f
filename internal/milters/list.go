// Package milters reads and changes the lists of milters in Postfix's
// configuration (smtpd_milters and non_smtpd_milters of postconf(5)) without
// touching what others wrote there. Values are taken unexpanded.
package milters

import (
	"fmt"
	"strings"

	"mailsetup/internal/state"
)

// Milter is one entry of a list.
type Milter struct {
	// Endpoint is transport and address (unix:opendkim/opendkim.sock,
	// inet:[::1]:8893). An entry that Postfix expands, such as $other_milters,
	// stands here as it is written.
	Endpoint string
	// Options are the settings of this milter alone, from the form in braces
	// (Postfix 3.0 and later). A $name among them has no value.
	Options []state.Setting
	// Raw is the entry as it was written, "" for one made here.
	Raw string
}

// String returns the entry as it was written, or as Postfix reads it.
func (m Milter) String() string {
	if m.Raw != "" {
		return m.Raw
	}
	if len(m.Options) == 0 {
		return m.Endpoint
	}
	var b strings.Builder
	b.WriteString("{ " + m.Endpoint)
	for _, o := range m.Options {
		b.WriteString(", " + optionText(o))
	}
	b.WriteString(" }")
	return b.String()
}

// optionText writes a setting, in braces if the value has white space or commas.
func optionText(o state.Setting) string {
	switch {
	case isReference(o.Name) && o.Value == "":
		return o.Name
	case strings.ContainsAny(o.Value, separators+"{}"):
		return "{ " + o.Name + " = " + o.Value + " }"
	}
	return o.Name + "=" + o.Value
}

func isReference(s string) bool { return strings.HasPrefix(s, "$") }

// Print writes a list on one line.
func Print(list []Milter) string {
	texts := make([]string, 0, len(list))
	for _, m := range list {
		texts = append(texts, m.String())
	}
	return strings.Join(texts, ", ")
}

// separators of a list's entries and of an entry's options: CHARS_COMMA_SP of
// Postfix.
const separators = ", \t\r\n"

// Parse parses a list. Errors name the octet, counted from 1, where the syntax error
// is.
func Parse(value string) ([]Milter, error) {
	tokens, err := split(value)
	if err != nil {
		return nil, err
	}
	list := make([]Milter, 0, len(tokens))
	for _, t := range tokens {
		m, err := parseEntry(t)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// token is a piece of the value and where it starts, from 0.
type token struct {
	text string
	at   int
}

func (t token) end() int { return t.at + len(t.text) }

// split splits at separators outside braces.
func split(value string) ([]token, error) {
	var out []token
	var open []int
	start := -1
	for i := range len(value) {
		switch c := value[i]; {
		case c == '{':
			open = append(open, i)
		case c == '}' && len(open) == 0:
			return nil, fmt.Errorf("milter list %q: \"}\" at %d closes nothing", value, i+1)
		case c == '}':
			open = open[:len(open)-1]
		case len(open) == 0 && strings.IndexByte(separators, c) >= 0:
			if start >= 0 {
				out = append(out, token{value[start:i], start})
			}
			start = -1
			continue
		case c < ' ' && strings.IndexByte(separators, c) < 0, c == 0x7f:
			return nil, fmt.Errorf("milter list %q: control character at %d", value, i+1)
		}
		if start < 0 {
			start = i
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("milter list %q: \"{\" at %d is not closed", value, open[len(open)-1]+1)
	}
	if start >= 0 {
		out = append(out, token{value[start:], start})
	}
	return out, nil
}

// unbrace returns what is inside the braces around a token.
func unbrace(t token) (token, error) {
	depth := 0
	for i := range len(t.text) {
		switch t.text[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 && i < len(t.text)-1 {
			return token{}, fmt.Errorf("milter %q: text after \"}\" at %d", t.text, t.at+i+1)
		}
	}
	return token{t.text[1 : len(t.text)-1], t.at + 1}, nil
}

func parseEntry(t token) (Milter, error) {
	if t.text[0] != '{' {
		return Milter{Endpoint: t.text, Raw: t.text}, nil
	}
	inside, err := unbrace(t)
	if err != nil {
		return Milter{}, err
	}
	parts, err := split(inside.text)
	if err != nil {
		return Milter{}, err
	}
	if len(parts) == 0 {
		return Milter{}, fmt.Errorf("milter %q at %d: empty", t.text, t.at+1)
	}
	m := Milter{Endpoint: parts[0].text, Raw: t.text}
	for _, p := range parts[1:] {
		p.at += inside.at
		o, err := parseOption(p)
		if err != nil {
			return Milter{}, err
		}
		m.Options = append(m.Options, o)
	}
	return m, nil
}

func parseOption(t token) (state.Setting, error) {
	text := t.text
	if isReference(text) {
		return state.Setting{Name: text}, nil
	}
	if text[0] == '{' {
		inside, err := unbrace(t)
		if err != nil {
			return state.Setting{}, err
		}
		text = inside.text
	}
	name, value, found := strings.Cut(text, "=")
	name = strings.Trim(name, separators)
	if !found || name == "" {
		return state.Setting{}, fmt.Errorf("milter option %q at %d: not name=value", t.text, t.at+1)
	}
	return state.Setting{Name: name, Value: strings.Trim(value, " \t\r\n")}, nil
}
