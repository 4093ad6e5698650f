package main

import (
	"bytes"
	"fmt"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
)

func TestProgressOfManyZones(t *testing.T) {
	var said bytes.Buffer
	s := &session{c: console{err: &said}}
	for range 2 {
		s.progress(apply.Event{Kind: apply.UnitBegins, Stage: "Zone", Unit: "named.service", Action: state.Reload})
		for i := range 1000 {
			s.progress(apply.Event{Kind: apply.ProbeWaits, Stage: "Zone", Probe: state.Probe{Kind: state.ProbeServed, Origin: fmt.Sprintf("d%d.example.", i)}})
		}
		s.progress(apply.Event{Kind: apply.ProbeWaits, Stage: "Zone", Probe: state.Probe{Kind: state.ProbeMilter}})
	}
	const once = `Zone: reload named.service
Zone: does the name server serve d0.example
Zone: does the name server serve d1.example
Zone: does the name server serve d2.example
Zone: and the other zones
Zone: does the signer answer
`
	if got := said.String(); got != once+once {
		t.Errorf("said\n%s", got)
	}
}
