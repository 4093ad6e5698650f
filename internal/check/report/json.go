package report

import (
	"io"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/jsondoc"
)

// WriteJSON prints the report as data.
func (r Report) WriteJSON(w io.Writer) error { return jsondoc.Write(w, r.document()) }

func (r Report) document() jsondoc.Check {
	d := jsondoc.Check{
		Server: r.Server, Time: r.Time, Domains: jsondoc.Named(r.Domains), Summary: jsondoc.Summary(r.Summary), Findings: slices.Values(r.Findings),
		Messages: r.Messages, SPF: r.SPF, Keys: keysData(r.Keys), Passed: r.Passed, Since: r.Since, Error: r.Failed,
	}
	if s := r.Score; s != nil {
		d.Score = &jsondoc.Score{Points: s.Points.data(), Of: s.Of.data(), Unrated: s.Unrated}
		for _, l := range s.Lost {
			d.Score.Lost = append(d.Score.Lost, jsondoc.Lost{Area: l.Area, Points: l.Points.data(), Mend: l.Mend})
		}
	}
	for _, s := range r.Skipped {
		d.Skipped = append(d.Skipped, jsondoc.Skipped(s))
	}
	if r.Changes != nil {
		d.Changes = []jsondoc.ChangedFinding{}
	}
	for _, c := range r.Changes {
		d.Changes = append(d.Changes, jsondoc.ChangedFinding(c))
	}
	return d
}

func keysData(lives []finding.KeyLife) []jsondoc.Key {
	all := make([]jsondoc.Key, 0, len(lives))
	for _, l := range lives {
		all = append(all, jsondoc.Key{
			Domain: l.Domain, Selector: l.Selector, Bits: l.Bits, Stage: l.Stage, Made: l.Made, Active: l.Active, Retired: l.Retired, Next: l.Next,
		})
	}
	return all
}
