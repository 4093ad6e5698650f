package plan

import (
	"iter"

	"mailsetup/internal/jsondoc"
	"mailsetup/internal/state"
)

// Document returns the plan as data. Contents appear in diffs only, and those of private
// keys nowhere, not even as a hash. Changes are made one by one as they are written: those
// of thousands of domains would take as much memory as all their files.
func (p Plan) Document() jsondoc.Plan {
	d := jsondoc.Plan{Pending: !p.Empty(), Notes: jsondoc.Notes(p.Notes)}
	for _, st := range p.Stages {
		d.Stages = append(d.Stages, st.document())
	}
	for _, f := range p.Drift {
		d.Drift = append(d.Drift, jsondoc.Drift{Path: string(f.Path), Why: f.Why, Diff: f.Diff})
	}
	for _, q := range p.Questions {
		yes, _ := ConsentFlags(q.Kind)
		d.Questions = append(d.Questions, jsondoc.Question{
			ID: q.ID, Kind: string(q.Kind), Flag: yes, Subject: q.Subject, Domain: q.Domain, Domains: jsondoc.Named(q.Domains), Text: q.Text,
			Path: string(q.Path), Line: q.Line, Before: q.Before, After: q.After, Declined: q.Declined,
		})
	}
	return d
}

func (s StageChanges) document() jsondoc.Stage {
	d := jsondoc.Stage{Name: s.Name, Install: s.Install, Uninstall: s.Uninstall, Checkpoint: s.Checkpoint}
	for _, p := range s.Packages {
		d.Packages = append(d.Packages, jsondoc.Package{Name: p.Name, Why: p.Why})
	}
	if len(s.Changes)+len(s.Derived) > 0 {
		d.Changes = s.changes()
	}
	for _, u := range s.Updates {
		d.Updates = append(d.Updates, jsondoc.UpdateOf(u))
	}
	for _, u := range s.Units {
		unit := jsondoc.Unit{Name: u.Name, Action: string(u.Action), Why: u.Why, DaemonReload: u.NeedsDaemonReload}
		for _, probe := range u.Probes {
			unit.Probes = append(unit.Probes, string(probe.Kind))
		}
		d.Units = append(d.Units, unit)
	}
	return d
}

func (s StageChanges) changes() iter.Seq[jsondoc.Change] {
	return func(yield func(jsondoc.Change) bool) {
		for _, c := range s.Changes {
			if !yield(jsondoc.Change{
				Op: string(c.Op), Path: string(c.Path), Why: c.Why, Settings: c.Settings, Before: fileOf(c.Before), After: fileOf(c.After),
				Secret: secret(c.Before) || secret(c.After), Diff: Diff(c.Path, c.Before, c.After),
			}) {
				return
			}
		}
		for _, d := range s.Derived {
			if !yield(jsondoc.Change{Op: string(Modify), Path: string(d.Path), From: string(d.From), Argv: d.Argv}) {
				return
			}
		}
	}
}

// fileOf returns an object as data, nil if there is none.
func fileOf(o state.Object) *jsondoc.File {
	if o.Kind == state.Absent {
		return nil
	}
	f := &jsondoc.File{Kind: string(o.Kind), Owner: o.Owner.String(), Mode: octal(o.Mode)}
	if o.Kind == state.Regular && !secret(o) {
		f.SHA256 = HashOf(o)
	}
	return f
}
