package inbound

import (
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// DMARC makes OpenDMARC judge incoming mail. It answers before Postfix asks it.
func DMARC(in step.Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.Inbound.DMARC != "" {
		return state.Stage{}, nil, notYet("dmarc", "off")
	}
	return state.Stage{}, nil, nil
}
