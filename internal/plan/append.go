package plan

import (
	"slices"

	"mailsetup/internal/state"
)

// Append adds the plan of further domains to one that only its summary is told of: of the
// changes it keeps no contents. Stages of the same name become one.
func (p *Plan) Append(more Plan) {
	for _, st := range more.Stages {
		for i := range st.Changes {
			st.Changes[i].Before.Content, st.Changes[i].After.Content = nil, nil
		}
		at := slices.IndexFunc(p.Stages, func(s StageChanges) bool { return s.Name == st.Name })
		if at < 0 {
			p.Stages = append(p.Stages, st)
			continue
		}
		p.Stages[at].join(st)
	}
	p.Drift = append(p.Drift, more.Drift...)
	p.Questions = append(p.Questions, more.Questions...)
	for _, n := range more.Notes {
		if !slices.Contains(p.Notes, n) {
			p.Notes = append(p.Notes, n)
		}
	}
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
