package rotation

import (
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/plan"
	"mailsetup/internal/recordwatch"
)

// Document returns what a run did as data.
func (r *Report) Document() jsondoc.Result {
	d := jsondoc.Result{
		Changed: r.Changed, Notes: jsondoc.Notes(r.Notes), Findings: r.Check, Steps: r.steps(), Waiting: []jsondoc.Key{},
		Failed: jsondoc.Named(r.Failed), Problems: recordwatch.Data(r.Records),
	}
	if r.Run != "" {
		d.Run = &jsondoc.Run{ID: r.Run}
	}
	for _, w := range r.Waiting {
		k := jsondoc.Key{Domain: w.Domain, Selector: w.Selector, Why: w.Why}
		if w.ByHand() {
			record := jsondoc.RecordOf(w.Record())
			k.Record = &record
		}
		d.Waiting = append(d.Waiting, k)
	}
	return d
}

// DryDocument returns what a run would do as data.
func (r *Report) DryDocument() jsondoc.Plan {
	p := plan.Plan{}
	if r.Plan != nil {
		p = *r.Plan
	}
	d := p.Document()
	d.Steps, d.Keys = r.steps(), keysData(r.Keys)
	return d
}

func (r *Report) steps() []jsondoc.Step {
	all := make([]jsondoc.Step, 0, len(r.Steps))
	for _, s := range r.Steps {
		all = append(all, jsondoc.Step{Domain: s.Domain, Selector: s.Selector, Action: string(s.Action), Why: s.Why})
	}
	return all
}

// Document returns the status as data.
func (s Status) Document() jsondoc.Status {
	d := jsondoc.Status{Keys: keysData(s.Keys), Notes: append(jsondoc.Notes(s.Problems), jsondoc.Notes(s.Notes)...)}
	for _, domain := range s.Domains {
		d.Problems = append(d.Problems, recordwatch.Data(domain.Problems)...)
	}
	return d
}

func keysData(list []KeyStatus) []jsondoc.Key {
	all := make([]jsondoc.Key, 0, len(list))
	for _, k := range list {
		all = append(all, jsondoc.Key{
			Domain: k.Domain, Selector: k.Selector, Bits: k.Bits, Stage: string(k.Stage), Since: k.Since, WaitsFor: k.WaitsFor, Next: k.Next,
			Gone: k.Gone, Unusable: k.Unusable,
		})
	}
	return all
}
