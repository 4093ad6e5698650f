package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/zonefile"
)

// Request is what a domain wants to have published by dynamic updates
// (RFC 2136).
type Request struct {
	Domain  string
	Update  spec.Update
	Records []state.Record
}

// Requests are those of the domains that the run is about.
func Requests(in Input) []Request {
	var list []Request
	for d := range in.touched() {
		if in.Spec.DNSOf(d) == spec.DNSUpdate {
			list = append(list, Request{d.Name, in.Spec.UpdateOf(d), records(in, d)})
		}
	}
	return list
}

// Leaving are the domains that the run is about and that are no longer wanted.
func Leaving(in Input) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(in.Touched)) {
		if in.Touched[name] && !in.Spec.Has(name) {
			names = append(names, name)
		}
	}
	return names
}

// updates adds what is to be changed in zones that take dynamic updates.
func updates(in Input, stage *state.Stage) ([]state.Note, error) {
	parts := map[string]*part{}
	var notes []state.Note
	seen := map[state.Record]bool{}
	for d := range in.touched() {
		if in.Spec.DNSOf(d) != spec.DNSUpdate {
			continue
		}
		for _, r := range records(in, d) {
			if seen[r] {
				continue
			}
			seen[r] = true
			more, err := updated(in, d, r, parts)
			if err != nil {
				return nil, err
			}
			notes = append(notes, more...)
		}
	}
	for _, zone := range in.Facts.Updated {
		p := parts[zone.Origin]
		if p == nil {
			p = &part{zone: zone}
		}
		notes = append(notes, p.large()...)
		p.update(in, stage)
	}
	return notes, nil
}

// updated finds the zone for a record of a domain and judges what is there.
func updated(in Input, d spec.Domain, r state.Record, parts map[string]*part) ([]state.Note, error) {
	zone, ok := closest(in.Facts.Updated, r.Name)
	if !ok {
		origin := d.Name + "."
		if _, own := closest(in.Facts.Updated, origin); own || !within(r.Name, origin) {
			if err := keyGivenAway(d, r, zone); err != nil {
				return nil, err
			}
			return []state.Note{elsewhere(r)}, nil
		}
		return nil, refuse("--rfc2136-server names the primary; --dns manual prints the records",
			"the name server that was asked has no zone with %s", noDot(r.Name))
	}
	p := parts[zone.Origin]
	if p == nil {
		p = &part{zone: zone}
		parts[zone.Origin] = p
	}
	return p.add(in, d, r)
}

// update sends what the zone lacks of ours, and takes out what it has of ours
// and is no longer wanted, together with what a consent replaces. What is ours
// now is remembered, since the zone does not tell.
func (p *part) update(in Input, stage *state.Stage) {
	z := p.zone
	ours := append(slices.Clone(p.ours), staying(in, z)...)
	u := state.Update{
		Origin: z.Origin, Server: z.Update.Server, KeyFile: z.Update.KeyFile,
		Add: lacking(ours, z.Update.Ours), Remove: lacking(z.Update.Ours, ours), Why: "as its primary, signed with the key in " + string(z.Update.KeyFile),
	}
	for _, r := range p.replace {
		u.Add, u.Remove = append(u.Add, r.New), append(u.Remove, r.Old)
	}
	for _, x := range slices.Concat(z.Records, z.Update.Ours) {
		if slices.ContainsFunc(slices.Concat(u.Add, u.Remove), func(r state.Record) bool { return state.SameSet(r, x) }) {
			u.Found = append(u.Found, x)
		}
	}
	stage.Updates = append(stage.Updates, u)
	stage.Questions = append(stage.Questions, in.unanswered(p.questions...)...)
	file := state.PublishedFile(z.Origin)
	if len(ours) == 0 {
		stage.Remove = append(stage.Remove, file)
		return
	}
	memory := state.Published{Origin: z.Origin, Server: z.Update.Server, KeyFile: z.Update.KeyFile, Records: sorted(ours)}
	if len(stage.Dirs) == 0 || stage.Dirs[len(stage.Dirs)-1].Path != file.Dir() {
		stage.Dirs = append(stage.Dirs, state.Dir{Path: file.Dir(), Mode: 0o700, Owner: state.Root})
	}
	stage.Files = append(stage.Files, state.File{
		Path: file, Mode: 0o600, Owner: state.Root, Content: memory.Marshal(), Why: "which records of " + noDot(z.Origin) + " are ours",
	})
}

// staying are records of ours that this run does not judge: those of domains
// that it is not about or that are published in another way now, and the keys
// of domains that leave, as long as mail is under way.
func staying(in Input, z state.Zone) []state.Record {
	var keep []state.Record
	for _, d := range in.Spec.Domains {
		if !in.touches(d.Name) || in.Spec.DNSOf(d) != spec.DNSUpdate {
			keep = append(keep, among(records(in, d), z.Update.Ours)...)
		}
	}
	for _, name := range Leaving(in) {
		keep = append(keep, among(keyRecords(name, in.Keys[name]), z.Update.Ours)...)
	}
	return keep
}

// keyRecords are the records of a domain's keys.
func keyRecords(domain string, keys []keyring.Key) []state.Record {
	var list []state.Record
	for _, k := range keys {
		if k.Stage != keyring.Gone {
			list = append(list, state.Record{Name: k.Selector + "._domainkey." + domain + ".", Type: "TXT", Value: keygen.Record(k.Public)})
		}
	}
	return list
}

// among are those of the records there that stand in the place of one of the
// list.
func among(list, there []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(there), func(x state.Record) bool {
		return !slices.ContainsFunc(list, func(r state.Record) bool { return state.SameSet(r, x) && rivals(r, x) })
	})
}

// lacking are the records of a list that another one does not have, TTL
// included.
func lacking(list, other []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r state.Record) bool {
		return slices.ContainsFunc(other, func(x state.Record) bool { return state.Same(x, r) && x.TTL == r.TTL })
	})
}

func sorted(list []state.Record) []state.Record {
	list = slices.SortedFunc(slices.Values(list), func(a, b state.Record) int {
		return strings.Compare(a.Name+" "+a.Type+" "+a.Value, b.Name+" "+b.Type+" "+b.Value)
	})
	return slices.Compact(list)
}

// oneLine is a record as a zone file would have it, for a zone that has none
// here.
func oneLine(r state.Record) string {
	return fmt.Sprintf("%s %d IN %s %s", r.Name, r.TTL, r.Type, strings.Join(strings.Fields(zonefile.Rdata(r)), " "))
}

// seat is where the administrator finds the zone.
func seat(z state.Zone) string {
	if z.Update != nil {
		return fmt.Sprintf("the zone %s on %s", noDot(z.Origin), strings.TrimSuffix(z.Update.Server, ":53"))
	}
	return string(z.File)
}
