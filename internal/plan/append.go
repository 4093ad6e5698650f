package plan

import (
	"slices"

	"mailsetup/internal/state"
)

// Append adds the plan of further domains to one that only its summary is told of: of the
// changes it keeps no contents. Stages of the same name become one.
func (p *Plan) Append(more Plan) {
	p.Forget()
	more.Forget()
	for _, st := range more.Stages {
		at := slices.IndexFunc(p.Stages, func(s StageChanges) bool { return s.Name == st.Name })
		if at < 0 {
			p.Stages = append(p.Stages, st)
			continue
		}
		p.Stages[at].join(st)
	}
	for i := range p.Stages {
		p.Stages[i].fold()
	}
	p.Drift = append(p.Drift, more.Drift...)
	p.Questions = append(p.Questions, more.Questions...)
	for _, n := range more.Notes {
		if !slices.Contains(p.Notes, n) {
			p.Notes = append(p.Notes, n)
		}
	}
}

// Forget drops the contents of the changes, of a plan that is carried out or of which only
// the summary is told.
func (p Plan) Forget() {
	for _, st := range p.Stages {
		for i := range st.Changes {
			c := &st.Changes[i]
			c.Before.Content, c.Before.Text, c.After.Content, c.After.Text = nil, nil, nil, nil
		}
	}
}

// fold leaves of many changes that are alike the first ones, which count for the others.
func (s *StageChanges) fold() {
	var few []Change
	for _, k := range kinds(s.Changes) {
		first := k[:min(len(k), manyAlike)]
		for _, c := range k[len(first):] {
			first[manyAlike-1].More += 1 + c.More
		}
		few = append(few, first...)
	}
	s.Changes = few
}

// join adds what the same stage does for further domains. What it does for all of them, it
// does once.
func (s *StageChanges) join(more StageChanges) {
	there := make(map[state.Path]bool, len(s.Changes))
	for _, c := range s.Changes {
		there[c.Path] = true
	}
	for _, c := range more.Changes {
		if !there[c.Path] {
			s.Changes = append(s.Changes, c)
		}
	}
	for _, u := range more.Units {
		if !slices.ContainsFunc(s.Units, func(o state.Unit) bool { return o.Name == u.Name && o.Action == u.Action }) {
			s.Units = append(s.Units, u)
		}
	}
	for _, d := range more.Derived {
		if !slices.ContainsFunc(s.Derived, func(o state.Derived) bool { return o.Path == d.Path }) {
			s.Derived = append(s.Derived, d)
		}
	}
	s.Updates = append(s.Updates, more.Updates...)
}
