package inbound

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Retire takes away what incoming mail no longer meets, once Postfix asks it no more.
func Retire(in step.Input) (state.Stage, []state.Note, error) {
	stage := retireSPF(in)
	stage.Remove = append(stage.Remove, retiredTables(in)...)
	for _, more := range []state.Stage{retireDMARC(in), retireRspamd(in)} {
		stage.Files, stage.Edits = append(stage.Files, more.Files...), append(stage.Edits, more.Edits...)
		stage.Remove, stage.Discard = append(stage.Remove, more.Remove...), append(stage.Discard, more.Discard...)
		for _, u := range more.Units {
			if !slices.ContainsFunc(stage.Units, func(o state.Unit) bool { return o.Name == u.Name && o.Action == u.Action }) {
				stage.Units = append(stage.Units, u)
			}
		}
		if len(stage.Validators) == 0 {
			stage.Validators = more.Validators
		}
	}
	return stage, nil, nil
}

// retiredTables are those of who passes that nothing asks any more.
func retiredTables(in step.Input) (all []state.Path) {
	door, _, _ := Door(in)
	for _, p := range allowFiles {
		wanted := slices.ContainsFunc(door.Files, func(f state.File) bool { return f.Path == p })
		if _, there := in.Facts.Files[p]; there && !wanted {
			all = append(all, p)
		}
	}
	return all
}
