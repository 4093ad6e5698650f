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
		s.progress(apply.Event{Kind: apply.UnitBegins, Stage: "DNS", Unit: "named.service", Action: state.Reload})
		for i := range 1000 {
			s.progress(apply.Event{Kind: apply.ProbeWaits, Stage: "DNS", Probe: state.Probe{Kind: state.ProbeServed, Origin: fmt.Sprintf("d%d.example.", i)}})
		}
		s.progress(apply.Event{Kind: apply.ProbeWaits, Stage: "DNS", Probe: state.Probe{Kind: state.ProbeMilter}})
	}
	const once = `DNS: reload named.service
DNS: does the name server serve d0.example
DNS: does the name server serve d1.example
DNS: does the name server serve d2.example
DNS: and the other zones
DNS: does the signer answer
`
	if got := said.String(); got != once+once {
		t.Errorf("said\n%s", got)
	}
}
