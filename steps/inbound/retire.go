package inbound

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Retire takes away what incoming mail no longer meets, once Postfix asks it no more.
func Retire(in step.Input) (state.Stage, []state.Note, error) {
	stage := retireSPF(in)
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

// retireSPF returns what takes the policy service away where SPF is off.
func retireSPF(step.Input) state.Stage { return state.Stage{} }

// retireDMARC returns what puts OpenDMARC back where DMARC is off.
func retireDMARC(step.Input) state.Stage { return state.Stage{} }
