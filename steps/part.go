package steps

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// part is what one zone gets: the records it lacks, and those of its own that
// have to say something else.
type part struct {
	zone state.Zone
	make *state.NewZone // the zone is made on request
	ours []state.Record // what our fragment holds
	want []state.Record // what must be served in the end
	gone []state.Record // what must not be served any more
	// copies of what wildcards of the zone say, which our fragment holds as well.
	copies []state.Record

	replace   []state.Replacement
	questions []state.Question
}

// included reports whether the zone takes in a fragment of ours already: it is
// then emptied rather than left to repeat what the zone has.
func (p *part) included() bool {
	return bytes.Contains(p.zone.Content, []byte(p.fragment()))
}

func (p *part) fragment() state.Path { return Fragment(p.zone) }

// Fragment is the file that a zone takes in.
func Fragment(z state.Zone) state.Path { return FragmentDir.Join(noDot(z.Origin) + ".zone") }

// needed reports whether there is something to do in the zone.
func (p *part) needed() bool { return len(p.ours)+len(p.replace) > 0 || p.included() }

// fragments sorts every record that is needed into the zone that holds its
// name and judges it beside what the zone has already.
func fragments(in Input, others owners) (map[string]*part, []state.Note, error) {
	parts := map[string]*part{}
	var notes []state.Note
	trouble, seen := state.Trouble{}, map[state.Record]bool{}
	for d := range in.Scope.Domains(in.Spec) {
		more, err := fragment(in, d, parts, seen)
		if err != nil {
			trouble[d.Name] = err
		}
		notes = append(notes, more...)
	}
	if err := trouble.Err(); err != nil {
		return nil, nil, err
	}
	if err := leaving(in, parts); err != nil {
		return nil, nil, err
	}
	for _, origin := range slices.Sorted(maps.Keys(parts)) {
		more, err := parts[origin].carry(in, others)
		if err != nil {
			return nil, nil, err
		}
		notes = slices.Concat(notes, more, parts[origin].large())
	}
	maps.DeleteFunc(parts, func(_ string, p *part) bool { return !p.needed() })
	return parts, notes, nil
}

// fragment does so with the records of one domain, of which zones here hold at
// least the consents to reports about it.
func fragment(in Input, d spec.Domain, parts map[string]*part, seen map[state.Record]bool) ([]state.Note, error) {
	var notes []state.Note
	list := authorisations(in, d)
	if in.Spec.DNSOf(d) == spec.DNSBind {
		list = append(records(in, d), list...)
	}
	for _, r := range list {
		if seen[r] {
			continue
		}
		seen[r] = true
		p, err := partFor(in, d, r, parts)
		if err != nil {
			return nil, err
		}
		if p == nil {
			notes = append(notes, elsewhere(r))
			continue
		}
		more, err := p.add(in, d, r)
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
	}
	return notes, nil
}

// carry takes over what our fragment holds and the run does not judge, and what
// wildcards said of the names that exist with it. What is left of it goes.
func (p *part) carry(in Input, others owners) ([]state.Note, error) {
	there, stays := saying(p.ours), saying(p.zone.Records)
	for _, r := range staying(in, p.zone, others) {
		if !there[sayingOf(r)] {
			p.ours = append(p.ours, r)
		}
		stays[sayingOf(r)] = true
	}
	notes, err := p.copyWildcards(in, p.ours)
	if err != nil {
		return nil, err
	}
	for _, r := range p.copies {
		there[sayingOf(r)] = true
	}
	for _, r := range ourRecords(p.zone) {
		if s := sayingOf(r); !there[s] && !stays[s] {
			p.gone = append(p.gone, r)
		}
	}
	return notes, nil
}

// partFor finds the zone for a record. A domain without a zone here is an
// error; a host name without one lives in somebody else's DNS, as does what the
// domain's zone gives away.
func partFor(in Input, d spec.Domain, r state.Record, parts map[string]*part) (*part, error) {
	name := r.Name
	zone, ok := closest(in.Facts.Zones, name)
	if !ok {
		origin := d.Name + "."
		if _, own := closest(in.Facts.Zones, origin); own || !within(name, origin) {
			return nil, keyGivenAway(d, r, zone)
		}
		if !d.NewZone {
			return nil, step.Refuse("--dns-new-zone makes the zone here; --dns manual prints the records, those of all domains of this server",
				"no zone here holds %s", noDot(name))
		}
		zone = state.Zone{Origin: origin, Kind: "primary", File: FragmentDir.Join("db." + d.Name)}
	}
	if zone.Problem != "" && !within(name, d.Name+".") {
		return nil, nil
	}
	if zone.Problem != "" {
		return nil, unfit(zone)
	}
	if zone.Unread { // it only looks empty
		return nil, step.Refuse("sudo mailsetup init reads every zone that matters here",
			"zone %s holds %s and was not read: this is a mistake of mailsetup", zone.Origin, noDot(name))
	}
	if p := parts[zone.Origin]; p != nil {
		return p, nil
	}
	p := &part{zone: zone}
	if !ok || zone.File == FragmentDir.Join("db."+d.Name) {
		var err error
		if p.make, err = newZone(in.Spec.Host, d); err != nil {
			return nil, err
		}
	}
	parts[zone.Origin] = p
	return p, nil
}

// unfit refuses a zone that cannot be worked with.
func unfit(zone state.Zone) error {
	hints := strings.Split(cmp.Or(zone.Hint, "--dns manual prints the records instead"), "\n")
	return &Refusal{What: fmt.Sprintf("zone %s: %s", zone.Origin, zone.Problem), Hint: hints[0], Then: hints[1:]}
}

// keyGivenAway refuses to sign with a key that the domain's zone cannot hold.
// What else is missing there is told, and nobody's mail fails for want of it.
func keyGivenAway(d spec.Domain, r state.Record, zone state.Zone) error {
	x, given := zone.Gives(r.Name)
	if !given || kindOf(d, r) != aboutKey {
		return nil
	}
	return step.Refuse(fmt.Sprintf("--dns manual prints the records: the key goes to whoever runs %s; or take that %s out of %s", noDot(x.Value), x.Type, seat(zone)),
		"the key of this server belongs to %s, and zone %s gives %s away: %s %s", noDot(r.Name), zone.Origin, noDot(x.Name), x.Type, x.Value)
}

// add puts one record into the part if the zone lacks it, or into a change of
// what the zone has: a second SPF or DMARC record would be a permanent error.
func (p *part) add(in Input, d spec.Domain, r state.Record) ([]state.Note, error) {
	if x, ok := p.alias(r.Name); ok {
		if kindOf(d, r) == aboutDMARC {
			return []state.Note{delegated(in, d, x)}, nil
		}
		return nil, inTheWay(d, r, x, seat(p.zone))
	}
	there := p.having(r)
	v := judge(in, d, r, there)
	if v.missing && v.refused != nil && saying(ourRecords(p.zone))[sayingOf(r)] { // an earlier run added it
		v.notes, v.refused = append(v.notes, v.told(r)), nil
	}
	switch {
	case v.refused != nil:
		return nil, v.refusal(d, r)
	case v.missing:
		r.TTL = p.ttl(r)
		p.ours = append(p.ours, r)
		p.want = append(p.want, r)
	case v.changed != "":
		return v.notes, p.change(d, v, there[0])
	}
	return v.notes, nil
}

// change asks for consent to the new text of a record of the zone. One that
// stands in no line of the file is for the administrator to change.
func (p *part) change(d spec.Domain, v verdict, old state.Record) error {
	new := old
	new.Value = v.changed
	q := v.question(d, old)
	if p.zone.Update != nil {
		q.Before, q.After = oneLine(old), oneLine(new)
		p.changes(q, old, new)
		return nil
	}
	at, err := zonefile.Find(p.zone.Content, p.zone.Origin, old)
	if err != nil {
		q.After = v.changed
		return &Refusal{
			What: fmt.Sprintf("%s; but it cannot be changed from here: %s: %v", v.text, p.zone.File, err),
			Hint: "what it should say: " + v.changed, Keep: &q,
		}
	}
	q.Path, q.Line, q.Before, q.After = p.zone.File, at.Line, at.Text, at.With(new)
	p.changes(q, old, new)
	return nil
}

func (p *part) changes(q state.Question, old, new state.Record) {
	p.questions = append(p.questions, q)
	p.replace = append(p.replace, state.Replacement{Old: old, New: new})
	p.want, p.gone = append(p.want, new), append(p.gone, old)
}

// alias is the CNAME of the zone at a name.
func (p *part) alias(name string) (state.Record, bool) {
	for _, x := range p.zone.Records {
		if x.Type == "CNAME" && sameName(x.Name, name) {
			return x, true
		}
	}
	return state.Record{}, false
}

// inTheWay refuses a CNAME at a name that needs records of its own, which
// cannot stand beside it (RFC 1034 section 3.6.2).
func inTheWay(d spec.Domain, r, alias state.Record, where string) error {
	name, target := noDot(r.Name), noDot(alias.Value)
	if kindOf(d, r) == aboutKey {
		return step.Refuse("take the CNAME out of "+where,
			"%s is a CNAME of %s: the key of this server cannot stand there", name, target)
	}
	return step.Refuse(fmt.Sprintf("give %s addresses of its own instead of the CNAME in %s, or choose another name with --hostname", name, where),
		"%s is a CNAME of %s, so it can have no %s record; and the name of a mail server must not be an alias (RFC 2181 section 10.3)",
		name, target, r.Type)
}

// having are the records of the zone that stand where r would.
func (p *part) having(r state.Record) []state.Record {
	var there []state.Record
	for _, x := range p.zone.Records {
		if sameName(x.Name, r.Name) && rivals(x, r) {
			there = append(there, x)
		}
	}
	return there
}

// ttl is that of the RRset which r joins (RFC 2181 section 5.2), else its own.
func (p *part) ttl(r state.Record) uint32 {
	for _, x := range p.zone.Records {
		if sameName(x.Name, r.Name) && x.Type == r.Type {
			return x.TTL
		}
	}
	return r.TTL
}

// maxAnswer is what a DNS answer over UDP holds on every path (DNS flag day
// 2020).
const maxAnswer = 1232

// large tells of texts that do not fit into one answer over UDP together.
func (p *part) large() []state.Note {
	var notes []state.Note
	told := map[string]bool{}
	for _, w := range p.want {
		if n := p.answer(w.Name); w.Type == "TXT" && n > maxAnswer && !told[w.Name] {
			told[w.Name] = true
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf("the TXT records of %s make an answer of %d octets, and %d are sure to get through: "+
					"the rest is asked for by TCP, which not every firewall lets pass", noDot(w.Name), n, maxAnswer),
				Do: "take out texts that nobody reads any more, such as old site verifications",
			})
		}
	}
	return notes
}

// answer is the size of the answer to a question for the TXT records of a name
// as they will be, RFC 1035 section 4.1 with EDNS.
func (p *part) answer(name string) int {
	n := 12 + len(name) + 1 + 4 + 11
	size := func(text string) int { return 12 + len(text) + max(1, (len(text)+254)/255) }
	for _, x := range p.zone.Records {
		if x.Type == "TXT" && sameName(x.Name, name) {
			n += size(x.Value)
		}
	}
	for _, r := range p.ours {
		if r.Type == "TXT" && sameName(r.Name, name) {
			n += size(r.Value)
		}
	}
	for _, r := range p.replace {
		if r.New.Type == "TXT" && sameName(r.New.Name, name) {
			n += size(r.New.Value) - size(r.Old.Value)
		}
	}
	return n
}

func sameName(a, b string) bool { return dnsname.Same(a, b) }

func differs(r state.Record, there []state.Record) state.Note {
	return state.Note{
		Topic: "dns",
		Text:  fmt.Sprintf("%s %s is yours and stays as it is: %s", noDot(r.Name), r.Type, values(there)),
		Do:    fmt.Sprintf("consider %s", r.Value),
	}
}

func elsewhere(r state.Record) state.Note {
	return state.Note{
		Topic: "dns",
		Text:  fmt.Sprintf("no zone here holds %s: see that its DNS has", noDot(r.Name)),
		Do:    fmt.Sprintf("%s %s %s", r.Name, r.Type, zonefile.Rdata(r)),
	}
}
