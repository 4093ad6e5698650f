package inbound

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Retire takes away what incoming mail no longer meets, once Postfix asks it no more.
func Retire(in step.Input) (state.Stage, []state.Note, error) {
	stage, dmarc := retireSPF(in), retireDMARC(in)
	stage.Remove = append(retiredTables(in), dmarc.Remove...)
	stage.Discard, stage.Edits = dmarc.Discard, append(stage.Edits, dmarc.Edits...)
	for _, u := range dmarc.Units {
		if !slices.ContainsFunc(stage.Units, func(o state.Unit) bool { return o.Name == u.Name }) {
			stage.Units = append(stage.Units, u)
		}
	}
	if len(stage.Validators) == 0 {
		stage.Validators = dmarc.Validators
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
