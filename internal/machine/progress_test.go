package machine_test

import (
	"bytes"
	"fmt"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
)

func TestProgressOfManyZones(t *testing.T) {
	var said bytes.Buffer
	p := machine.ProgressPrinter{Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }}
	for range 2 {
		p.Print(apply.Event{Kind: apply.UnitBegins, Stage: "DNS", Unit: "named.service", Action: state.Reload})
		for i := range 1000 {
			p.Print(apply.Event{Kind: apply.ProbeWaits, Stage: "DNS", Probe: state.Probe{Kind: state.ProbeServed, Origin: fmt.Sprintf("d%d.example.", i)}})
		}
		p.Print(apply.Event{Kind: apply.ProbeWaits, Stage: "DNS", Probe: state.Probe{Kind: state.ProbeMilter}})
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

// Of one kind of probe each says what it waits for; the way back has a stage of its
// own.
func TestProgress(t *testing.T) {
	many := make([]state.Signer, 21)
	for _, tt := range []struct {
		event apply.Event
		want  string
	}{
		{apply.Event{Kind: apply.UndoBegins}, "putting everything back"},
		{apply.Event{Kind: apply.UnitBegins, Unit: "postfix.service", Action: state.Restart}, "back: restart postfix.service"},
		{apply.Event{Kind: apply.UpdateBegins, Stage: "DNS", Update: state.Update{Origin: "lab.example.", Server: "192.0.2.53:53"}}, "DNS: update lab.example on 192.0.2.53:53"},
		{probing(state.Probe{Kind: state.ProbeActive, Unit: "postfix.service"}), "Postfix: is postfix.service up, and does it stay up"},
		{probing(state.Probe{Kind: state.ProbeSigns}), "Postfix: does a message come out signed"},
		{probing(state.Probe{Kind: state.ProbeSigns, Signers: many}), "Postfix: does a message of each of 21 senders come out signed"},
		{probing(state.Probe{Kind: state.ProbeRecipients, Recipients: []string{"a@lab.example", "b@lab.example"}}), "Postfix: does Postfix take mail for a@lab.example, b@lab.example"},
		{probing(state.Probe{Kind: state.ProbeRecipients, Deliver: "root"}), "Postfix: would Postfix deliver mail for root, by its own word"},
	} {
		var said bytes.Buffer
		p := machine.ProgressPrinter{Logf: func(format string, a ...any) { fmt.Fprintf(&said, format, a...) }}
		if p.Print(tt.event); said.String() != tt.want {
			t.Errorf("said %q, want %q", said.String(), tt.want)
		}
	}
}

func probing(p state.Probe) apply.Event {
	return apply.Event{Kind: apply.ProbeWaits, Stage: "Postfix", Probe: p}
}
