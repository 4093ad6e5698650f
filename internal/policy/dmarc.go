package policy

import (
	"fmt"
	"slices"
	"strings"
)

// DMARC is a record as it was written, and its tags.
type DMARC struct {
	text string
	tags []tag
}

type tag struct {
	name, value string
	start, end  int // of the value, without white space around it
}

// IsDMARC reports whether a TXT record is a DMARC policy, perhaps a faulty one.
func IsDMARC(text string) bool {
	name, value, ok := strings.Cut(first(text), "=")
	return ok && strings.EqualFold(strings.TrimSpace(name), "v") && strings.EqualFold(strings.TrimSpace(value), "DMARC1")
}

func first(text string) string {
	tag, _, _ := strings.Cut(text, ";")
	return tag
}

// ParseDMARC parses a record, which begins with its version. It does not judge values:
// receivers treat an unknown policy as none.
func ParseDMARC(text string) (DMARC, error) {
	d, faults := ReadDMARC(text)
	if len(faults) > 0 {
		return DMARC{}, faults[0]
	}
	return d, nil
}

// ReadDMARC reads a record as RFC 9989 section 4.8 has receivers do: what is no tag, and
// a tag that stands there already, are ignored. The faults say which; a text that does
// not begin with the version is no record, which the last fault says.
func ReadDMARC(text string) (d DMARC, faults []error) {
	d.text = text
	at := 0
	for word := range strings.SplitSeq(text, ";") {
		start := at
		at += len(word) + 1
		if strings.TrimSpace(word) == "" {
			continue
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			faults = append(faults, fmt.Errorf("%q is no tag", strings.TrimSpace(word)))
			continue
		}
		t := tag{name: strings.ToLower(strings.TrimSpace(name)), value: strings.TrimSpace(value)}
		if _, twice := d.Get(t.name); twice {
			faults = append(faults, fmt.Errorf("the tag %s is there twice", t.name))
			continue
		}
		t.end = start + len(strings.TrimRight(word, " \t"))
		t.start = t.end - len(t.value)
		d.tags = append(d.tags, t)
	}
	if !IsPolicyRecord(text) {
		faults = append(faults, fmt.Errorf("it begins with %q instead of v=DMARC1", strings.TrimSpace(first(text))))
	}
	return d, faults
}

// IsPolicyRecord reports whether receivers take a TXT record for a DMARC policy: it
// begins with the version (RFC 9989 section 4.7).
func IsPolicyRecord(text string) bool {
	name, value, ok := strings.Cut(first(text), "=")
	return ok && strings.EqualFold(strings.TrimRight(name, " \t"), "v") && strings.Trim(value, " \t") == "DMARC1"
}

// MildestDMARC returns which of several records at one name to leave, the same whatever
// order an answer has them in: the one that refuses least, since receivers apply none of
// them now, and of these one that asks for reports.
func MildestDMARC(texts []string) string {
	list := slices.Sorted(slices.Values(texts))
	harm := func(text string) int {
		d, faults := ReadDMARC(text)
		n := 2 * slices.Index([]string{"none", "quarantine", "reject"}, d.Policy())
		if len(d.URIs("rua")) == 0 {
			n++
		}
		if len(faults) > 0 || n < 0 {
			n += 100
		}
		return n
	}
	return slices.MinFunc(list, func(a, b string) int { return harm(a) - harm(b) })
}

// Tags returns the names of the tags, in their order.
func (d DMARC) Tags() []string {
	var list []string
	for _, t := range d.tags {
		list = append(list, t.name)
	}
	return list
}

// String returns the record as it was written.
func (d DMARC) String() string { return d.text }

// Get returns the value of a tag.
func (d DMARC) Get(name string) (string, bool) {
	i := d.index(name)
	if i < 0 {
		return "", false
	}
	return d.tags[i].value, true
}

func (d DMARC) index(name string) int {
	return slices.IndexFunc(d.tags, func(t tag) bool { return t.name == name })
}

// Policy returns p=, or none (RFC 9989).
func (d DMARC) Policy() string { return d.getOr("p", "none") }

// SubdomainPolicy returns sp=, or else p=.
func (d DMARC) SubdomainPolicy() string { return d.getOr("sp", d.Policy()) }

// Alignment returns adkim= or aspf= as a word: relaxed or strict.
func (d DMARC) Alignment(tag string) string {
	if d.getOr(tag, "r") == "s" {
		return "strict"
	}
	return "relaxed"
}

func (d DMARC) getOr(name, otherwise string) string {
	if v, ok := d.Get(name); ok {
		return strings.ToLower(v)
	}
	return otherwise
}

// URIs returns the addresses of rua= or ruf=.
func (d DMARC) URIs(tag string) []string {
	var list []string
	v, _ := d.Get(tag)
	for uri := range strings.SplitSeq(v, ",") {
		if uri = strings.TrimSpace(uri); uri != "" {
			list = append(list, uri)
		}
	}
	return list
}

// Set returns the record with one tag's value replaced in place. A new tag goes to the
// end, but p and sp to the front, where implementations of RFC 7489 expect p.
func (d DMARC) Set(name, value string) DMARC {
	text := ""
	switch i := d.index(name); {
	case i >= 0:
		text = d.text[:d.tags[i].start] + value + d.text[d.tags[i].end:]
	case name == "p" || name == "sp":
		at := d.tags[max(0, d.index("p"))].end
		text = d.text[:at] + "; " + name + "=" + value + d.text[at:]
	default:
		text = strings.TrimRight(d.text, "; \t") + "; " + name + "=" + value
	}
	set, err := ParseDMARC(text)
	if err != nil { // a value with a semicolon, of which the spec has none
		return d
	}
	return set
}
