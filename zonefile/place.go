package zonefile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
)

// Place is the position of a record in a zone file.
type Place struct {
	Line int    // where the record begins, from 1
	Text string // its line as it is; several, if parentheses hold it together

	start int // of the text in the zone
	data  []token
}

// With returns the text of the place with the data of another record of the
// same name and type.
func (p Place) With(r state.Record) string {
	splices := p.splices(r)
	for i := range splices {
		splices[i].start -= p.start
		splices[i].end -= p.start
	}
	return string(replace([]byte(p.Text), splices))
}

// splices replace the first word of the data by the new data and remove the other
// words. Comments between them, and parentheses, stay.
func (p Place) splices(r state.Record) []splice {
	data := oneLine(r.Value)
	if r.Type == "TXT" {
		data = quotedTXT(r.Value)
	}
	list := []splice{{p.data[0].start, p.data[0].end, data}}
	for i, t := range p.data[1:] {
		before := p.data[i].end
		if strings.Trim(p.Text[before-p.start:t.start-p.start], " \t\r\n") != "" {
			before = t.start
		}
		list = append(list, splice{before, t.end, ""})
	}
	return list
}

// Find returns the place of a record. Its name is absolute, a TXT value joined and
// unescaped; the TTL does not matter. A record in no line of the file, or in two, is an
// error that names the lines.
func Find(zone []byte, origin string, r state.Record) (Place, error) {
	b, err := indexRecords(zone, origin, []state.Record{r})
	if err != nil {
		return Place{}, err
	}
	return b.place(r)
}

// recordIndex has the places of records with some names, and the directives that other
// records may come from.
type recordIndex struct {
	places map[string][]indexedPlace
	others []otherSource
}

type indexedPlace struct {
	Place
	origin string // that relative names in the data have
}

// otherSource is a directive that brings records which no line of the file has.
type otherSource struct {
	what string // $INCLUDE, $GENERATE
	file string
	line int
}

func key(name, typ string) string { return canonicalName(name) + " " + strings.ToUpper(typ) }

// indexRecords indexes the records with the name and type of one of those asked for.
// Owner names are as in RFC 1035 section 5.1: relative to the last $ORIGIN; a line that
// begins with white space has that of the record before. An $INCLUDE changes neither.
func indexRecords(zone []byte, origin string, asked []state.Record) (recordIndex, error) {
	b := recordIndex{places: map[string][]indexedPlace{}}
	for _, r := range asked {
		b.places[key(r.Name, r.Type)] = nil
	}
	origin = canonicalName(origin)
	owner := origin
	for e, err := range entries(zone) {
		if err != nil {
			return recordIndex{}, err
		}
		switch d := e.directive(); {
		case d == "$ORIGIN" && len(e.tokens) > 1:
			origin = fullName(e.tokens[1].text, origin)
		case d == "$INCLUDE" && len(e.tokens) > 1 && !isOwnInclude(zone, e):
			b.others = append(b.others, otherSource{d, e.tokens[1].text, e.line})
		case d == "$GENERATE":
			b.others = append(b.others, otherSource{what: d, line: e.line})
		}
		typ, data := e.record()
		if len(data) == 0 {
			continue
		}
		if !e.blank {
			owner = fullName(e.tokens[0].text, origin)
		}
		k := owner + " " + typ
		if _, wanted := b.places[k]; wanted {
			p := Place{e.line, string(zone[e.start:e.stop]), e.start, slices.Clone(data)}
			b.places[k] = append(b.places[k], indexedPlace{p, origin})
		}
	}
	return b, nil
}

// isOwnInclude recognises the line that includes our fragment by its comment.
func isOwnInclude(zone []byte, e entry) bool {
	return bytes.Contains(zone[e.tokens[1].end:e.stop], []byte("; mailsetup "))
}

func fullName(name, origin string) string {
	switch {
	case name == "@":
		return origin
	case dns.IsFqdn(name):
		return canonicalName(name)
	case origin == ".":
		return canonicalName(name + ".")
	}
	return canonicalName(name + "." + origin)
}

// canonicalName returns a name absolute, in lower case, and with the necessary escapes
// only.
func canonicalName(name string) string {
	name = dns.CanonicalName(name)
	if !strings.Contains(name, `\`) {
		return name
	}
	wire := make([]byte, 256)
	n, err := dns.PackDomainName(name, wire, 0, nil, false)
	if err != nil {
		return name
	}
	if plain, _, err := dns.UnpackDomainName(wire[:n], 0); err == nil {
		return dns.CanonicalName(plain)
	}
	return name
}

// placesOf returns all places of the record.
func (b recordIndex) placesOf(r state.Record) []Place {
	var list []Place
	for _, h := range b.places[key(r.Name, r.Type)] {
		if h.isRecord(r) {
			list = append(list, h.Place)
		}
	}
	return list
}

func (h indexedPlace) isRecord(r state.Record) bool {
	if strings.EqualFold(r.Type, "TXT") {
		text := ""
		for _, t := range h.data {
			text += Unescape(t.text)
		}
		return text == r.Value
	}
	words := make([]string, 0, len(h.data))
	for _, t := range h.data {
		words = append(words, t.text)
	}
	return strings.EqualFold(canonicalData(r.Type, strings.Join(words, " "), h.origin), canonicalData(r.Type, r.Value, "."))
}

// canonicalData returns the data of a record in canonical form with absolute names;
// unknown data unchanged.
func canonicalData(typ, data, origin string) string {
	rr, err := dns.NewZoneParser(strings.NewReader(". 0 IN "+typ+" "+data), origin, "").Next()
	if rr == nil || !err {
		return data
	}
	return record(rr).Value
}

// place returns the only place of the record.
func (b recordIndex) place(r state.Record) (Place, error) {
	list := b.placesOf(r)
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return Place{}, b.missing(r)
	}
	return Place{}, fmt.Errorf("lines %d and %d: both are %s: take one of them out", list[0].Line, list[1].Line, describe(r))
}

// missing returns the error for a record in no line of the file, with the directives
// that it may come from.
func (b recordIndex) missing(r state.Record) error {
	switch len(b.others) {
	case 0:
		return fmt.Errorf("no line is %s", describe(r))
	case 1:
		o := b.others[0]
		if o.what == "$GENERATE" {
			return fmt.Errorf("%s is made by $GENERATE in line %d: change it there", describe(r), o.line)
		}
		return fmt.Errorf("%s stands in %q, included in line %d: change it there", describe(r), o.file, o.line)
	}
	var list []string
	for _, o := range b.others {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s", o.what, o.file))+fmt.Sprintf(" (line %d)", o.line))
	}
	return fmt.Errorf("%s comes from one of %s: change it there", describe(r), strings.Join(list, ", "))
}

func describe(r state.Record) string {
	return fmt.Sprintf("the %s record %q of %s", r.Type, r.Value, r.Name)
}

// replacements returns the splices of all replacements that are not made yet.
func replacements(zone []byte, origin string, list []state.Replacement) ([]splice, error) {
	if len(list) == 0 {
		return nil, nil
	}
	asked := make([]state.Record, 0, len(list))
	for _, r := range list {
		if key(r.Old.Name, r.Old.Type) != key(r.New.Name, r.New.Type) {
			return nil, fmt.Errorf("%s: its replacement has another name or type", describe(r.Old))
		}
		asked = append(asked, r.Old)
	}
	b, err := indexRecords(zone, origin, asked)
	if err != nil {
		return nil, err
	}
	var splices []splice
	changed := map[int]bool{}
	for _, r := range list {
		made, old := b.placesOf(r.New), b.placesOf(r.Old)
		if r.Old.Value == r.New.Value || len(made) > 0 && len(old) == 0 {
			continue
		}
		p, err := b.place(r.Old)
		switch {
		case err != nil:
			return nil, err
		case len(made) > 0:
			return nil, fmt.Errorf("line %d: is %s already: take line %d out", made[0].Line, describe(r.New), p.Line)
		case changed[p.Line]:
			return nil, errors.New("two changes of " + describe(r.Old))
		}
		changed[p.Line] = true
		splices = append(splices, p.splices(r.New)...)
	}
	return splices, nil
}
