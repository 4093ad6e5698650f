package steps

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Publication is a record that the administrator of the domain's DNS has to
// see to.
type Publication struct {
	state.Record
	// Replaces are the texts of the records whose place it takes; a second one
	// beside them would be a permanent error.
	Replaces []string
}

func recordsOf(list []Publication) []state.Record {
	rrs := make([]state.Record, 0, len(list))
	for _, p := range list {
		rrs = append(rrs, p.Record)
	}
	return rrs
}

// Published are the records of one domain for a DNS that somebody else runs,
// merged with those it has, and copies of wildcards, and what is to be known of
// these.
func Published(in Input, d spec.Domain) ([]Publication, []state.Note) {
	list, notes := merged(in, d)
	copies, told := printedCopies(in, d, recordsOf(list))
	for _, r := range copies {
		list = append(list, Publication{Record: r})
	}
	return list, slices.Concat(notes, largePrinted(in, list), told)
}

// merged are the records of one domain, those that DNS has changed as need be.
func merged(in Input, d spec.Domain) ([]Publication, []state.Note) {
	var list []Publication
	var notes []state.Note
	for _, r := range records(in, d) {
		if kindOf(d, r) == aboutKey || kindOf(d, r) == aboutAddress {
			list = append(list, Publication{Record: r})
			continue
		}
		there := policiesThere(in, r)
		v := judge(in, d, r, there)
		p := Publication{Record: r}
		switch {
		case v.missing && v.refused != nil:
			notes = append(notes, v.told(r))
		case v.refused != nil:
			p.Value, p.Replaces = v.instead, valuesOf(there)
			notes = append(notes, p.inPlace(v.refused.What))
		case v.changed != "":
			p.Value, p.Replaces = v.changed, valuesOf(there)
			notes = append(notes, p.inPlace(v.text))
		case !v.missing:
			p.Value = there[0].Value
		}
		list, notes = append(list, p), append(notes, v.notes...)
	}
	return list, notes
}

// largePrinted is large for records that others publish beside what DNS has.
func largePrinted(in Input, list []Publication) []state.Note {
	p := part{ours: recordsOf(list), want: recordsOf(list)}
	known := map[string]bool{}
	for _, r := range p.ours {
		if r.Type != "TXT" || known[r.Name] {
			continue
		}
		known[r.Name] = true
		stays := func(text string) bool {
			return !slices.ContainsFunc(list, func(x Publication) bool {
				return x.Name == r.Name && (x.Value == text || slices.Contains(x.Replaces, text))
			})
		}
		for _, text := range texts(in.Facts, noDot(r.Name), stays) {
			p.zone.Records = append(p.zone.Records, state.Record{Name: r.Name, Type: "TXT", Value: text})
		}
	}
	return p.large()
}

// Served are the records that every name server of the domain should have in
// the end: those that are published, and in place of some what a zone that we
// publish in has of the administrator's own.
func Served(in Input, d spec.Domain) []state.Record {
	list, _ := Published(in, d)
	var rrs []state.Record
	for _, r := range recordsOf(list) {
		if !ownChoice(in, d, r) {
			rrs = append(rrs, r)
		}
	}
	return append(rrs, authorisations(in, d)...)
}

// ownChoice reports whether something else than ours may stand there: several
// policies that were left on request; a policy that an alias in the zone gives
// to others; addresses and exchangers of the zone's own, which stay (differs).
func ownChoice(in Input, d spec.Domain, r state.Record) bool {
	kind := kindOf(d, r)
	if slices.Contains(d.Keep, string(kind)) && len(policiesThere(in, r)) > 1 {
		return true
	}
	zone, here := closest(in.Facts.Zones, r.Name)
	if !here || zone.Problem != "" {
		zone, here = closest(in.Facts.Updated, r.Name)
	}
	if !here {
		return false
	}
	p := &part{zone: zone}
	if kind == aboutAddress {
		there := p.having(r)
		return len(there) > 0 && !slices.ContainsFunc(there, func(x state.Record) bool { return sameTarget(x, r) })
	}
	_, alias := p.alias(r.Name)
	return alias && kind == aboutDMARC
}

// inPlace says why a record takes the place of others.
func (p Publication) inPlace(why string) state.Note {
	which := "your record: "
	if len(p.Replaces) > 1 {
		which = "all of your records: "
	}
	return state.Note{
		Topic: purpose(p.Value),
		Text:  fmt.Sprintf("%s. What is printed for %s replaces %s%s", why, noDot(p.Name), which, strings.Join(p.Replaces, " and ")),
	}
}

// policiesThere are the records in the place of one of ours, an SPF or a DMARC
// record, as DNS has them.
func policiesThere(in Input, r state.Record) []state.Record {
	serve := policy.IsSPF
	if policy.IsDMARC(r.Value) {
		serve = policy.IsDMARC
	}
	var there []state.Record
	for _, text := range texts(in.Facts, noDot(r.Name), serve) {
		x := r
		x.Value = text
		there = append(there, x)
	}
	return there
}

func valuesOf(list []state.Record) []string {
	texts := make([]string, 0, len(list))
	for _, r := range list {
		texts = append(texts, r.Value)
	}
	return texts
}
