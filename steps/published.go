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
	// There: DNS has it already.
	There bool
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
		there := elsewhereThere(in, d, r)
		if kindOf(d, r) == aboutKey || kindOf(d, r) == aboutAddress {
			list = append(list, publication{Record: r, There: len(there) > 0})
			continue
		}
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
			p.Value, p.There = there[0].Value, true
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

// elsewhereThere are the records in the place of one of ours as DNS has them;
// of addresses and mail exchangers only the right one.
func elsewhereThere(in Input, d spec.Domain, r state.Record) []state.Record {
	var there []state.Record
	live := in.Facts.Live[strings.ToLower(noDot(r.Name))]
	add := func(value string) {
		x := r
		if x.Value = value; kindOf(d, r) != aboutAddress || sameTarget(x, r) {
			there = append(there, x)
		}
	}
	switch kindOf(d, r) {
	case aboutSPF, aboutHELO:
		for _, t := range texts(in.Facts, noDot(r.Name), policy.IsSPF) {
			add(t)
		}
	case aboutDMARC:
		for _, t := range texts(in.Facts, noDot(r.Name), policy.IsDMARC) {
			add(t)
		}
	case aboutAddress:
		for _, host := range live.MX {
			if r.Type == "MX" {
				add("0 " + host + ".")
			}
		}
		for _, a := range live.Addresses {
			if r.Type != "MX" {
				add(a.String())
			}
		}
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
