package dns

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// WildcardQueries returns, for each domain whose records are printed, the records for
// whose names wildcards of its zones are looked up.
func WildcardQueries(in step.Input) [][]state.Record {
	var all [][]state.Record
	for d := range in.Scope.Domains(in.Spec) {
		if !in.Spec.ByHand(d) || in.KeysOnly || !in.Facts.Live[d.Name].Asked {
			continue
		}
		list := records.By(in, d, spec.DNSManual)
		all = append(all, append([]state.Record{{Name: d.Name + ".", Type: "TXT"}}, list...))
	}
	return all
}

// domainLosses returns the losses that a list of records of a domain causes, in the
// zones that the records are printed for or that we publish in.
func domainLosses(in step.Input, d spec.Domain, list []state.Record) []wildcardLoss {
	zoneOf := in.Facts.Covered.Closest
	if !in.Spec.ByHand(d) {
		zoneOf = in.Facts.ClosestPublished
	}
	var zones []state.Zone
	parts := map[string][]state.Record{}
	for _, r := range list {
		if z, ok := zoneOf(r.Name); ok && z.Problem == "" && !z.NotLoaded {
			if parts[z.Origin] == nil {
				zones = append(zones, z)
			}
			parts[z.Origin] = append(parts[z.Origin], r)
		}
	}
	var all []wildcardLoss
	for _, z := range zones {
		ours := parts[z.Origin]
		for _, l := range wildcardLosses(in, z, ours, domainsByName(in, z, ours)) {
			if l.domain.Name == d.Name {
				all = append(all, l)
			}
		}
	}
	return all
}

// printedCopies returns the copies of wildcard records that are printed with the
// records of a domain, and notes where nobody has decided about them.
func printedCopies(in step.Input, d spec.Domain, list []state.Record) ([]state.Record, []state.Note) {
	losses := domainLosses(in, d, list)
	if len(losses) == 0 || d.WildcardRecords == spec.Drop {
		return nil, nil
	}
	copies := copiesOf(losses)
	if d.WildcardRecords == "" && !in.Spec.ByHand(d) {
		return nil, nil // the plan asks
	}
	note := state.Note{Topic: "dns", Text: describeLosses(losses)}
	if d.WildcardRecords == spec.Copy {
		if note.Text = aliasTexts(losses); note.Text == "" {
			return copies, nil
		}
		return copies, []state.Note{note}
	}
	note.Text += aliasSentence(losses)
	if len(copies) > 0 {
		note.Text += fmt.Sprintf(". To keep that, publish these copies as well (mailsetup init --domain %s --wildcard-records copy prints them with the rest, drop goes on without)", d.Name)
		var lines []string
		for _, r := range copies {
			lines = append(lines, asLine(r))
		}
		note.Action = strings.Join(append(lines, ""), "\n")
	}
	return nil, []state.Note{note}
}

func aliasSentence(losses []wildcardLoss) string {
	if text := aliasTexts(losses); text != "" {
		return ". " + text
	}
	return ""
}

// aliasTexts returns advice for each CNAME that cannot be copied.
func aliasTexts(losses []wildcardLoss) string {
	var texts []string
	for _, l := range losses {
		if l.elsewhere {
			texts = append(texts, fmt.Sprintf("No CNAME can stand beside our record at %s, and only %s knows its addresses: give the name some of its own", dnsname.TrimDot(l.Name), dnsname.TrimDot(l.alias)))
		}
	}
	return strings.Join(texts, ". ")
}

func copiesOf(losses []wildcardLoss) []state.Record {
	var list []state.Record
	for _, l := range losses {
		list = append(list, l.Records...)
	}
	return list
}

// Copies returns the copies of wildcard records that a domain should have, with the
// owner of the wildcard. There are none if the administrator declined them.
func Copies(in step.Input, d spec.Domain) map[state.Record]string {
	list, _ := mergedRecords(in, d)
	all := map[state.Record]string{}
	if d.WildcardRecords == spec.Drop {
		return all
	}
	for _, l := range domainLosses(in, d, recordsOf(list)) {
		for _, r := range l.Records {
			all[r] = l.Owner
		}
	}
	return all
}

// ExpectedRecords returns all records that the name servers of a domain should have,
// and which of them are Copies.
func ExpectedRecords(in step.Input, d spec.Domain) (rrs []state.Record, copies map[state.Record]string) {
	rrs, copies = ServedRecords(in, d), Copies(in, d)
	var lost []state.Record
	for r := range copies {
		if !slices.Contains(rrs, r) {
			lost = append(lost, r)
		}
	}
	slices.SortFunc(lost, func(a, b state.Record) int {
		return strings.Compare(a.Name+" "+a.Type+" "+a.Value, b.Name+" "+b.Type+" "+b.Value)
	})
	return append(rrs, lost...), copies
}
