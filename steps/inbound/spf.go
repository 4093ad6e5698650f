package inbound

import (
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// SPFService makes the policy service that checks SPF: its configuration, and its entry
// in master.cf. It is there before Postfix asks it. See Door.
func SPFService(in step.Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.Inbound.SPF != "" {
		return state.Stage{}, nil, notYet("spf", "off")
	}
	return state.Stage{}, nil, nil
}
