package restrictions

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/mastercf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// Insert puts a check into a list that main.cf sets, behind so many of its elements. A list
// with a line for each element gets a further line. One that has the check already stays
// as it is.
func Insert(text, name string, index int, check string) (string, error) {
	p, list, err := readList(text, name)
	if err != nil || has(list, check) {
		return text, err
	}
	if p.line == 0 || index > len(list) {
		return "", p.wrong("the list has %d elements, not %d", len(list), index)
	}
	at, add := p.addition(text, list, index, check)
	return changed(text, text[:at]+add+text[at:], name, slices.Insert(plainly(list), index, check))
}

// Remove takes a check out of a list of main.cf. What Insert put in goes to the byte.
func Remove(text, name, check string) (string, error) {
	p, list, err := readList(text, name)
	i := slices.IndexFunc(list, func(r Restriction) bool { return r.Is(check) })
	if err != nil || i < 0 {
		return text, err
	}
	from, to := p.removal(text, list, i)
	return changed(text, text[:from]+text[to:], name, slices.Delete(plainly(list), i, i+1))
}

// readList returns a list of main.cf, an empty one if nothing sets it.
func readList(text, name string) (*parameter, []Restriction, error) {
	all, err := mainParameters(text)
	if err != nil {
		return nil, nil, err
	}
	p, err := find(all, name)
	if err != nil || p == nil {
		return &parameter{name: name}, nil, err
	}
	list, err := Parse(string(p.value))
	if err != nil {
		err = p.wrong("%v", err)
	}
	return p, list, err
}

func (p *parameter) wrong(format string, a ...any) error {
	return &Error{postconf.MainCF, p.line, p.name, fmt.Sprintf(format, a...), "write it in a form that postconf(5) describes, then: postconf " + p.name}
}

func has(list []Restriction, check string) bool {
	return slices.ContainsFunc(list, func(r Restriction) bool { return r.Is(check) })
}

// plainly returns the elements as they are written, white space aside.
func plainly(list []Restriction) []string {
	var all []string
	for _, r := range list {
		text := squeezed(r.String())
		if r.Warn {
			text = "warn_if_reject " + text
		}
		all = append(all, text)
	}
	return all
}

// addition returns what to write, and where.
func (p *parameter) addition(text string, list []Restriction, index int, check string) (at int, add string) {
	if index == 0 {
		if len(list) == 0 {
			return p.equals, " " + check
		}
		return p.at[list[0].from], check + p.between(list)
	}
	before := list[index-1]
	at = p.end(before.to)
	end := lineEnd(text, at)
	rest := text[at:end]
	if several := p.end(len(p.value)) > lineEnd(text, p.begin); !several || strings.Trim(rest, separators) != "" {
		return at, p.between(list) + check
	}
	indent, comma := p.indent(text, before), ""
	if strings.Contains(rest, ",") {
		comma = ","
	}
	if end == len(text) {
		return end, "\n" + indent + check + comma
	}
	return end + 1, indent + check + comma + "\n"
}

// between returns what stands between elements.
func (p *parameter) between(list []Restriction) string {
	for i := 1; i < len(list); i++ {
		if bytes.ContainsRune(p.value[list[i-1].to:list[i].from], ',') {
			return ", "
		}
	}
	return " "
}

// indent returns the indentation of the line of an element, or of the next line of the list
// where that begins the list.
func (p *parameter) indent(text string, r Restriction) string {
	start := lineStart(text, p.at[r.from])
	for i := 0; start == p.begin && i < len(p.at); i++ {
		start = max(start, lineStart(text, p.at[i]))
	}
	line := text[start:lineEnd(text, start)]
	return line[:len(line)-len(strings.TrimLeft(line, whitespace))]
}

func lineStart(text string, i int) int { return strings.LastIndexByte(text[:i], '\n') + 1 }

func lineEnd(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(text)
}

// removal returns what to cut out: a line that has nothing else, or the element with what
// separates it from the one before.
func (p *parameter) removal(text string, list []Restriction, i int) (from, to int) {
	from, to = p.at[list[i].from], p.end(list[i].to)
	start, end := lineStart(text, from), lineEnd(text, to)
	switch {
	case start != p.begin && strings.Trim(text[start:from], separators) == "" && strings.Trim(text[to:end], separators) == "":
		if end == len(text) {
			return start - 1, end
		}
		return start, end + 1
	case i > 0 && p.end(list[i-1].to) > start:
		return p.end(list[i-1].to), to
	case i+1 < len(list) && p.at[list[i+1].from] < end:
		return from, p.at[list[i+1].from]
	case i == 0:
		return p.equals, to
	}
	return from, to
}

// changed returns the new text if the list has these elements in it, and no other setting
// differs.
func changed(was, is, name string, want []string) (string, error) {
	before, err := mainParameters(was)
	if err != nil {
		return "", err
	}
	after, err := mainParameters(is)
	if err != nil {
		return "", err
	}
	same := slices.EqualFunc(before, after, func(a, b parameter) bool {
		if a.name == name && b.name == name {
			list, err := Parse(string(b.value))
			return err == nil && slices.Equal(plainly(list), want)
		}
		return a.name == b.name && bytes.Equal(a.value, b.value)
	})
	if !same {
		return "", &Error{Path: postconf.MainCF, Parameter: name, Text: "cannot be changed without touching something else", Hint: "write the list on lines of its own"}
	}
	return is, nil
}

// InsertOption is Insert for a list that a service of master.cf sets for itself. One that is
// written without blanks stays so: commas separate arguments, too.
func InsertOption(text, service, name string, index int, check string) (string, error) {
	value, list, err := optionList(text, service, name)
	if err != nil || has(list, check) {
		return text, err
	}
	if index > len(list) || index == 0 {
		return "", fmt.Errorf("%s: %s: the list has %d elements, not %d", service, name, len(list), index)
	}
	at := list[index-1].to
	add := (&parameter{value: []byte(value)}).between(list) + check
	if !strings.ContainsAny(value, whitespace) {
		add = "," + strings.ReplaceAll(check, " ", ",")
	}
	return mastercf.Splice(text, service, name, at, at, add)
}

// RemoveOption is Remove for a list that a service sets for itself.
func RemoveOption(text, service, name, check string) (string, error) {
	_, list, err := optionList(text, service, name)
	i := slices.IndexFunc(list, func(r Restriction) bool { return r.Is(check) })
	switch {
	case err != nil || i < 0:
		return text, err
	case i == 0 && len(list) > 1:
		return mastercf.Splice(text, service, name, list[0].from, list[1].from, "")
	case i == 0:
		return mastercf.Splice(text, service, name, list[0].from, list[0].to, "")
	}
	out, err := mastercf.Splice(text, service, name, list[i-1].to, list[i].to, "")
	if err != nil { // on a line of its own meanwhile
		return mastercf.Splice(text, service, name, list[i].from, list[i].to, "")
	}
	return out, nil
}

// optionList returns a list that a service sets, an empty one if it sets none.
func optionList(text, service, name string) (string, []Restriction, error) {
	services, err := mastercf.Parse(text)
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(services, func(s state.Service) bool { return s.Name == service })
	if i < 0 {
		return "", nil, nil
	}
	o, _ := services[i].Option(name)
	list, err := Parse(o.Value)
	return o.Value, list, err
}
