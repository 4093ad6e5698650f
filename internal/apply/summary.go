package apply

import (
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// StageSummary is what one stage of a run did, or was about to.
type StageSummary struct {
	Name  string
	Files []FileChange
	Zones []state.Update // on their primaries
	Units []UnitDone
}

// FileChange is what happened to one path.
type FileChange struct {
	Op   plan.Op
	Path state.Path
}

// Summary returns what a run did, by stage.
func (e Entry) Summary() []StageSummary {
	all := []StageSummary{}
	for _, st := range e.stages {
		s := StageSummary{Name: st.Name, Zones: st.Updates}
		for _, c := range st.Changes {
			s.Files = append(s.Files, FileChange{c.Op, c.Path})
		}
		for _, d := range st.Derived {
			s.Files = append(s.Files, FileChange{plan.Modify, d.Path})
		}
		for _, u := range st.Units {
			s.Units = append(s.Units, UnitDone{u.Name, u.Action})
		}
		all = append(all, s)
	}
	return all
}
