package inbound

import (
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Door has Postfix ask the policy service and the block lists, in the lists that guard
// its port for other servers.
func Door(in step.Input) (state.Stage, []state.Note, error) {
	if len(in.Spec.Host.Inbound.DNSBL) > 0 {
		return state.Stage{}, nil, notYet("dnsbl", "none")
	}
	return state.Stage{}, nil, nil
}
