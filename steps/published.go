package steps

import (
	"fmt"
	"strings"

	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// publication is a record that the administrator of the domain's DNS has to
// see to.
type publication struct {
	state.Record
	// Replaces are the texts of the records whose place it takes; a second one
	// beside them would be a permanent error.
	Replaces []string
}

func recordsOf(list []publication) []state.Record {
	rrs := make([]state.Record, 0, len(list))
	for _, p := range list {
		rrs = append(rrs, p.Record)
	}
	return rrs
}

// published are the records of one domain for a DNS that somebody else runs,
// merged with those it has, and what is to be known of these.
func published(in Input, d spec.Domain) ([]publication, []state.Note) {
	var list []publication
	var notes []state.Note
	for _, r := range records(in, d) {
		if kindOf(d, r) == aboutKey || kindOf(d, r) == aboutAddress {
			list = append(list, publication{Record: r})
			continue
		}
		there := policiesThere(in, r)
		v := judge(in, d, r, there)
		p := publication{Record: r}
		switch {
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

// inPlace says why a record takes the place of others.
func (p publication) inPlace(why string) state.Note {
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
