package dns

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
	"mailsetup/steps/newzone"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// zoneChange is the change of one zone: the records that it lacks, and new texts for
// some of its own.
type zoneChange struct {
	zone      state.Zone
	create    *state.NewZone // the zone is made on request
	ours      []state.Record // what our fragment holds
	want      []state.Record // what must be served in the end
	notServed []state.Record // what must not be served any more
	// copies of what wildcards of the zone say, which our fragment holds as well.
	copies []state.Record

	replace   []state.Replacement
	questions []state.Question
}

// included reports whether the zone includes a fragment of ours already: it is then
// emptied rather than left with records that the zone has itself.
func (p *zoneChange) included() bool {
	return bytes.Contains(p.zone.Content, []byte(p.fragment()))
}

func (p *zoneChange) fragment() state.Path { return Fragment(p.zone) }

// Fragment returns the path of our fragment of a zone.
func Fragment(z state.Zone) state.Path { return FragmentDir.Join(dnsname.TrimDot(z.Origin) + ".zone") }

// needed reports whether the zone has to be changed.
func (p *zoneChange) needed() bool { return len(p.ours)+len(p.replace) > 0 || p.included() }

// zoneChanges assigns every needed record to the zone of its name and compares it with
// the records there.
func zoneChanges(in step.Input, others publishedElsewhere) (map[string]*zoneChange, []state.Note, error) {
	parts := map[string]*zoneChange{}
	var notes []state.Note
	failed, seen := state.DomainErrors{}, map[state.Record]bool{}
	for d := range in.Scope.Domains(in.Spec) {
		more, err := addDomain(in, d, parts, seen)
		if err != nil {
			failed[d.Name] = err
		}
		notes = append(notes, more...)
	}
	if err := failed.Err(); err != nil {
		return nil, nil, err
	}
	if err := addLeaving(in, parts); err != nil {
		return nil, nil, err
	}
	for _, origin := range slices.Sorted(maps.Keys(parts)) {
		more, err := parts[origin].retain(in, others)
		if err != nil {
			return nil, nil, err
		}
		notes = slices.Concat(notes, more, parts[origin].largeAnswers())
	}
	maps.DeleteFunc(parts, func(_ string, p *zoneChange) bool { return !p.needed() })
	return parts, notes, nil
}

// addDomain does so for one domain, of which zones here have at least the consents to
// reports about it.
func addDomain(in step.Input, d spec.Domain, parts map[string]*zoneChange, seen map[state.Record]bool) ([]state.Note, error) {
	var notes []state.Note
	list := records.ReportConsents(in, d)
	list = append(records.By(in, d, spec.DNSBind), list...)
	for _, r := range list {
		if seen[r] {
			continue
		}
		seen[r] = true
		p, err := changeFor(in, d, r, parts)
		if err != nil {
			return nil, err
		}
		if p == nil {
			notes = append(notes, elsewhereNote(r))
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

// retain keeps the records of our fragment that the run does not compare, and the
// copies of wildcards at their names. All others are dropped.
func (p *zoneChange) retain(in step.Input, others publishedElsewhere) ([]state.Note, error) {
	there, stays := contentSet(p.ours), contentSet(p.zone.Records)
	for _, r := range notCompared(in, p.zone, others) {
		if !there[canonical(r)] {
			p.ours = append(p.ours, r)
		}
		stays[canonical(r)] = true
	}
	notes, err := p.copyWildcards(in, p.ours)
	if err != nil {
		return nil, err
	}
	for _, r := range p.copies {
		there[canonical(r)] = true
	}
	for _, r := range ourRecords(p.zone) {
		if s := canonical(r); !there[s] && !stays[s] {
			p.notServed = append(p.notServed, r)
		}
	}
	return notes, nil
}

// changeFor returns the change of the zone of a record. A domain without a zone here is
// an error; a host name without one is in somebody else's DNS, as are names that the
// zone delegates.
func changeFor(in step.Input, d spec.Domain, r state.Record, parts map[string]*zoneChange) (*zoneChange, error) {
	name, about, mayMake := r.Name, d, d.NewZone
	if keys, are := newzone.OfKeys(in, d, r); are {
		about, mayMake = keys, true
	}
	zone, ok := in.Facts.Zones.Closest(name)
	delegated := records.IsDelegated(in.Spec, d, r)
	ok = ok && (!delegated || zone.Origin == about.Name+".")
	if !ok {
		origin := about.Name + "."
		if _, own := in.Facts.Zones.Closest(origin); own && !delegated || !dnsname.Within(name, origin) {
			return nil, keyDelegated(d, r, zone)
		}
		if !mayMake {
			return nil, step.Refuse("--dns-new-zone makes the zone here; --dns manual prints the records, those of all domains of this server",
				"no zone here holds %s", dnsname.TrimDot(name))
		}
		if why := in.Facts.NewZoneProblem; why != "" {
			return nil, step.Refuse(`put include "/etc/bind/named.conf.local"; into that file; or --dns manual prints the records`,
				"BIND would not serve a new zone for %s: %s", about.Name, why)
		}
		zone = state.Zone{Origin: origin, Kind: "primary", File: FragmentDir.Join("db." + about.Name)}
	}
	if zone.Problem != "" && !dnsname.Within(name, about.Name+".") {
		return nil, nil
	}
	if zone.Problem != "" {
		return nil, refuseUnusable(zone)
	}
	if zone.NotLoaded { // it only looks empty
		return nil, step.Refuse("mailsetup init reads every zone that matters here",
			"zone %s holds %s and was not read: this is a mistake of mailsetup", zone.Origin, dnsname.TrimDot(name))
	}
	if p := parts[zone.Origin]; p != nil {
		return p, nil
	}
	p := &zoneChange{zone: zone}
	if !ok || zone.File == FragmentDir.Join("db."+about.Name) {
		var err error
		if p.create, err = newzone.Start(in.Spec.Host, about); err != nil {
			return nil, err
		}
	}
	if delegated && !ok {
		q, err := newzone.TakeOverKeys(in, d, p.create, zone.File)
		if err != nil {
			return nil, err
		}
		p.questions = append(p.questions, q)
	}
	parts[zone.Origin] = p
	return p, nil
}

// refuseUnusable returns the refusal of a zone that cannot be edited.
func refuseUnusable(zone state.Zone) error {
	hints := strings.Split(cmp.Or(zone.Hint, "--dns manual prints the records instead"), "\n")
	return &step.Refusal{What: zone.Trouble(), Hint: hints[0], Then: hints[1:]}
}

// keyDelegated refuses to sign with a key whose name the domain's zone delegates. Other
// delegated records are reported in notes: no mail fails without them.
func keyDelegated(d spec.Domain, r state.Record, zone state.Zone) error {
	x, given := zone.Delegation(r.Name)
	if !given || records.KindOf(d, r) != records.AboutKey {
		return nil
	}
	return step.Refuse(fmt.Sprintf("--dns manual prints the records: the key goes to whoever runs %s; or take that %s out of %s", dnsname.TrimDot(x.Value), x.Type, location(zone)),
		"the key of this server belongs to %s, and zone %s gives %s away: %s %s", dnsname.TrimDot(r.Name), zone.Origin, dnsname.TrimDot(x.Name), x.Type, x.Value)
}

// add adds a record to the change if the zone lacks it, or a new text for the zone's
// own: a second SPF or DMARC record would be a permanent error.
func (p *zoneChange) add(in step.Input, d spec.Domain, r state.Record) ([]state.Note, error) {
	if x, ok := records.AliasAt(p.zone, r.Name); ok {
		if records.KindOf(d, r) == records.AboutDMARC {
			return []state.Note{records.DelegatedPolicy(in, d, x)}, nil
		}
		return nil, aliasConflict(d, r, x, location(p.zone))
	}
	there := p.conflicting(r)
	v := records.Compare(in, d, r, there)
	if v.Missing && v.Refused != nil && contentSet(ourRecords(p.zone))[canonical(r)] { // an earlier run added it
		v.Notes, v.Refused = append(v.Notes, v.AsNote(r)), nil
	}
	switch {
	case v.Refused != nil:
		return nil, v.Refusal(d, r)
	case v.Missing:
		r.TTL = p.ttl(r)
		p.ours = append(p.ours, r)
		p.want = append(p.want, r)
	case v.Change != "":
		return v.Notes, p.change(d, v, there[0])
	}
	return v.Notes, nil
}

// change asks for consent to the new text of a record of the zone. A record that is in
// no line of the file is for the administrator to change.
func (p *zoneChange) change(d spec.Domain, v records.Comparison, old state.Record) error {
	new := old
	new.Value = v.Change
	q := v.Question(d, old)
	if p.zone.Update != nil {
		q.Before, q.After = asLine(old), asLine(new)
		p.changes(q, old, new)
		return nil
	}
	at, err := zonefile.Find(p.zone.Content, p.zone.Origin, old)
	if err != nil {
		q.After = v.Change
		return &step.Refusal{
			What: fmt.Sprintf("%s; but it cannot be changed from here: %s: %v", v.Text, p.zone.File, err),
			Hint: "what it should say: " + v.Change, Keep: &q,
		}
	}
	q.Path, q.Line, q.Before, q.After = p.zone.File, at.Line, at.Text, at.With(new)
	p.changes(q, old, new)
	return nil
}

func (p *zoneChange) changes(q state.Question, old, new state.Record) {
	p.questions = append(p.questions, q)
	p.replace = append(p.replace, state.Replacement{Old: old, New: new})
	p.want, p.notServed = append(p.want, new), append(p.notServed, old)
}

// aliasConflict refuses a CNAME at a name that needs other records (RFC 1034 section
// 3.6.2).
func aliasConflict(d spec.Domain, r, alias state.Record, where string) error {
	name, target := dnsname.TrimDot(r.Name), dnsname.TrimDot(alias.Value)
	if records.KindOf(d, r) == records.AboutKey {
		return step.Refuse("take the CNAME out of "+where,
			"%s is a CNAME of %s: the key of this server cannot stand there", name, target)
	}
	return step.Refuse(fmt.Sprintf("give %s addresses of its own instead of the CNAME in %s, or choose another name with --hostname", name, where),
		"%s is a CNAME of %s, so it can have no %s record; and the name of a mail server must not be an alias (RFC 2181 section 10.3)",
		name, target, r.Type)
}

// conflicting returns the records of the zone that conflict with r.
func (p *zoneChange) conflicting(r state.Record) []state.Record {
	var there []state.Record
	for _, x := range p.zone.Records {
		if dnsname.Same(x.Name, r.Name) && records.Conflict(x, r) {
			there = append(there, x)
		}
	}
	return there
}

// ttl returns the TTL of the RRset of r (RFC 2181 section 5.2), else its own.
func (p *zoneChange) ttl(r state.Record) uint32 {
	for _, x := range p.zone.Records {
		if dnsname.Same(x.Name, r.Name) && x.Type == r.Type {
			return x.TTL
		}
	}
	return r.TTL
}

// maxAnswer is the size of a UDP answer that arrives on every path (DNS flag day 2020).
const maxAnswer = 1232

// largeAnswers returns notes about names whose TXT records do not fit into one UDP
// answer.
func (p *zoneChange) largeAnswers() []state.Note {
	var notes []state.Note
	told := map[string]bool{}
	for _, w := range p.want {
		if n := p.answer(w.Name); w.Type == "TXT" && n > maxAnswer && !told[w.Name] {
			told[w.Name] = true
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf("the TXT records of %s make an answer of %d octets, and %d are sure to get through: "+
					"the rest is asked for by TCP, which not every firewall lets pass", dnsname.TrimDot(w.Name), n, maxAnswer),
				Action: "take out texts that nobody reads any more, such as old site verifications",
			})
		}
	}
	return notes
}

// answer returns the size of the answer for the TXT records of a name after the change,
// RFC 1035 section 4.1 with EDNS.
func (p *zoneChange) answer(name string) int {
	n := 12 + len(name) + 1 + 4 + 11
	size := func(text string) int { return 12 + len(text) + max(1, (len(text)+254)/255) }
	for _, x := range p.zone.Records {
		if x.Type == "TXT" && dnsname.Same(x.Name, name) {
			n += size(x.Value)
		}
	}
	for _, r := range p.ours {
		if r.Type == "TXT" && dnsname.Same(r.Name, name) {
			n += size(r.Value)
		}
	}
	for _, r := range p.replace {
		if r.New.Type == "TXT" && dnsname.Same(r.New.Name, name) {
			n += size(r.New.Value) - size(r.Old.Value)
		}
	}
	return n
}

func elsewhereNote(r state.Record) state.Note {
	return state.Note{
		Topic:  "dns",
		Text:   fmt.Sprintf("no zone here holds %s: see that its DNS has", dnsname.TrimDot(r.Name)),
		Action: fmt.Sprintf("%s %s %s", r.Name, r.Type, zonefile.Rdata(r)),
	}
}
