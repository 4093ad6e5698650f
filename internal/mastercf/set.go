package mastercf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Set sets options of existing services. An existing option gets its new value in
// place, the last one if there are several, since that counts; a new one gets a line of
// its own after the others, with the indentation and line ends of its entry. Nothing
// else changes. A value that differs in white space only is left as it is.
func Set(text string, set []state.ServiceSetting) (string, error) {
	out := text
	for _, s := range set {
		if err := check(s); err != nil {
			return "", fmt.Errorf("%s: %w", s.Service, err)
		}
		entries, err := parse(out)
		if err != nil {
			return "", err
		}
		e, err := find(entries, s.Service)
		if err != nil {
			return "", err
		}
		out = e.set(out, s.Setting)
		if !isOnly(s, entries, out) {
			return "", &Error{e.service.Line, fmt.Sprintf("%s: %s cannot be set in this entry; is a brace not closed?", s.Service, s.Name)}
		}
	}
	return out, nil
}

// isOnly reports whether the setting is effective in the new text, and everything else
// is unchanged. After an unclosed brace neither need be so.
func isOnly(s state.ServiceSetting, before []entry, after string) bool {
	entries, err := parse(after)
	return err == nil && slices.EqualFunc(before, entries, func(was, is entry) bool {
		if is.service.Name == s.Service {
			o, found := is.service.Option(s.Name)
			if !found || squeeze(o.Value) != squeeze(s.Value) || len(is.options) > len(was.options)+1 {
				return false
			}
		}
		return was.service.Name == is.service.Name && was.service.Command == is.service.Command &&
			slices.Equal(was.service.Args, is.service.Args)
	})
}

func check(s state.ServiceSetting) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`).MatchString(s.Name) {
		return fmt.Errorf("%q is no parameter name", s.Name)
	}
	if strings.ContainsFunc(s.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: the value %q has control characters", s.Name, s.Value)
	}
	if s.Value != strings.Trim(s.Value, " ") {
		return fmt.Errorf("%s: the value %q begins or ends with a space", s.Name, s.Value)
	}
	if !balanced(s.Value) {
		return fmt.Errorf("%s: the braces of the value %q do not match", s.Name, s.Value)
	}
	if refersTo(s.Value, s.Name) {
		return fmt.Errorf("%s: the value %q refers to itself, which Postfix cannot expand", s.Name, s.Value)
	}
	return nil
}

func balanced(value string) bool {
	depth := 0
	for i := range len(value) {
		switch value[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}

// find returns the one entry of a service. Postfix takes the last of two with one name,
// which is hardly what their author wants.
func find(entries []entry, service string) (entry, error) {
	same := func(e entry) bool { return e.service.Name == service }
	at := slices.IndexFunc(entries, same)
	if at < 0 {
		return entry{}, fmt.Errorf("there is no service %s", service)
	}
	if again := slices.IndexFunc(entries[at+1:], same); again >= 0 {
		return entry{}, &Error{
			entries[at+1+again].service.Line,
			fmt.Sprintf("service %s stands here a second time, after line %d: remove one of them", service, entries[at].service.Line),
		}
	}
	return entries[at], nil
}

func (e entry) set(text string, s state.Setting) string {
	for i, o := range slices.Backward(e.service.Options) {
		switch {
		case o.Name != s.Name:
		case squeeze(o.Value) == squeeze(s.Value):
			return text
		default:
			return e.replace(text, e.options[i], s)
		}
	}
	return e.insert(text, s)
}

// replace replaces the value. If it needs braces that are not there, the assignment is
// written anew.
func (e entry) replace(text string, o option, s state.Setting) string {
	switch {
	case !o.braced && !word(s.Value) && o.attached:
		return e.splice(text, o.whole, " "+assignment(s))
	case !o.braced && !word(s.Value):
		return e.splice(text, o.whole, assignment(s))
	case o.value.from == o.value.to && o.braced && space(e.joined[o.value.from-2]):
		return e.splice(text, o.value, " "+s.Value)
	}
	return e.splice(text, o.value, s.Value)
}

// word reports whether Postfix reads the value as one word.
func word(value string) bool {
	l := logical{joined: []byte(value)}
	words := l.words()
	return len(words) == 0 || words[0] == span{0, len(value)}
}

// assignment returns name=value in the form of master(5).
func assignment(s state.Setting) string {
	if strings.Contains(s.Value, " ") {
		return "{ " + s.Name + " = " + s.Value + " }"
	}
	return s.Name + "=" + s.Value
}

// splice replaces a span. If that has several lines, comments in between stay, and
// lines that become empty are removed.
func (e entry) splice(text string, s span, with string) string {
	at := e.end(s.from)
	if s.from == s.to {
		return text[:at] + with + text[at:]
	}
	pieces := e.pieces(s)
	for i, p := range slices.Backward(pieces) {
		from, to := p.from, p.to
		if i == 0 {
			return text[:from] + with + text[to:]
		}
		if start, end := lineAt(text, from); empty(text[start:from]) && empty(text[to:end]) {
			from, to = start, end
		}
		text = text[:from] + text[to:]
	}
	return text
}

// pieces returns the parts of a span in the file, one for each line, without
// surrounding white space.
func (e entry) pieces(s span) []span {
	var pieces []span
	for from := s.from; from < s.to; {
		to := from + 1
		for to < s.to && e.at[to] == e.at[to-1]+1 {
			to++
		}
		if p := e.trim(span{from, to}); p.from < p.to {
			pieces = append(pieces, span{e.at[p.from], e.end(p.to)})
		}
		from = to
	}
	return pieces
}

// lineAt returns the offsets of the line around i, including its newline.
func lineAt(text string, i int) (start, end int) {
	start = strings.LastIndexByte(text[:i], '\n') + 1
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return start, i + n + 1
	}
	return start, len(text)
}

// insert adds an option after the command and its options, before other arguments,
// which end the options.
func (e entry) insert(text string, s state.Setting) string {
	at := e.end(e.tail)
	_, end := lineAt(text, at)
	add := "-o " + assignment(s)
	switch rest := text[at:end]; {
	case !empty(rest): // a number sign there is no comment but an argument
		return text[:at] + " " + add + text[at:]
	case strings.HasSuffix(rest, "\n"):
		return text[:end] + e.indent(text) + add + newline(rest) + text[end:]
	default: // the last line has no newline, and so it stays
		start, firstEnd := lineAt(text, e.at[0])
		return text + newline(text[start:firstEnd]) + e.indent(text) + add
	}
}

// newline returns the line end of a line.
func newline(line string) string {
	if strings.HasSuffix(line, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// indent returns the indentation of the entry's lines: of the last one with an option,
// else of the first.
func (e entry) indent(text string) string {
	indent := ""
	for i := 1; i < len(e.at) && (i < e.tail || indent == ""); i++ {
		if e.at[i] == e.at[i-1]+1 {
			continue
		}
		line := text[e.at[i]:]
		if n := len(line) - len(strings.TrimLeft(line, " \t")); n > 0 {
			indent = line[:n]
		}
	}
	if indent == "" {
		return "  "
	}
	return indent
}

// squeeze turns any white space into one space.
func squeeze(value string) string {
	return strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r < 0x80 && space(byte(r)) }), " ")
}

// Splice replaces a part of the value of an option, given as offsets in it as Parse returns
// it, all on one line. Everything else stays, lines and comments included.
func Splice(text, service, name string, from, to int, with string) (string, error) {
	entries, err := parse(text)
	if err != nil {
		return "", err
	}
	e, err := find(entries, service)
	if err != nil {
		return "", err
	}
	i := len(e.options) - 1
	for ; i >= 0 && e.service.Options[i].Name != name; i-- {
	}
	if i < 0 || from > to || to > len(e.service.Options[i].Value) {
		return "", fmt.Errorf("%s: %s has no such part", service, name)
	}
	value := e.service.Options[i].Value
	start, base := e.options[i].value.from+from, e.options[i].value.from
	begin, end := e.end(start), e.end(start)
	if to > from {
		begin, end = e.at[start], e.end(base+to)
	}
	out := text[:begin] + with + text[end:]
	want := value[:from] + with + value[to:]
	after, err := Parse(out)
	if err != nil || strings.Contains(text[begin:end], "\n") || !onlyValue(entries, after, service, i, want) {
		return "", &Error{e.service.Options[i].Line, fmt.Sprintf("%s: %s cannot be changed in this entry", service, name)}
	}
	return out, nil
}

// onlyValue reports whether nothing but the value of one option differs.
func onlyValue(before []entry, after []state.Service, service string, option int, want string) bool {
	return slices.EqualFunc(before, after, func(was entry, is state.Service) bool {
		same := was.service.Name == is.Name && was.service.Command == is.Command && slices.Equal(was.service.Args, is.Args) &&
			len(was.service.Options) == len(is.Options)
		for i := 0; same && i < len(is.Options); i++ {
			value := was.service.Options[i].Value
			if was.service.Name == service && i == option {
				value = want
			}
			same = was.service.Options[i].Name == is.Options[i].Name && squeeze(value) == squeeze(is.Options[i].Value)
		}
		return same
	})
}
