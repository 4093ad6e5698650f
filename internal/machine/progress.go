package machine

import (
	"fmt"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// ProgressPrinter prints the progress of a run.
type ProgressPrinter struct {
	Logf func(format string, a ...any)

	zonesAsked int // since a unit was acted on last
}

// Print prints a line for an event, if there is something new to say.
func (p *ProgressPrinter) Print(e apply.Event) {
	switch e.Kind {
	case apply.UnitBegins:
		if e.Stage == "" { // while everything is put back
			e.Stage = "back"
		}
		p.Logf("%s: %s %s", e.Stage, e.Action, e.Unit)
		p.zonesAsked = 0
	case apply.ProbeWaits:
		p.waits(e.Stage, e.Probe)
	case apply.UpdateBegins:
		p.Logf("%s: update %s on %s", e.Stage, dnsname.TrimDot(e.Update.Origin), e.Update.Server)
	case apply.UndoBegins:
		p.Logf("putting everything back")
	}
}

// waits prints that a probe is waited for; of probes that ask about one zone each, only
// the first.
func (p *ProgressPrinter) waits(stage string, probe state.Probe) {
	const most = 3
	if probe.Kind == state.ProbeServed {
		p.zonesAsked++
	}
	switch {
	case probe.Kind != state.ProbeServed || p.zonesAsked <= most:
		p.Logf("%s: %s", stage, question(probe))
	case p.zonesAsked == most+1:
		p.Logf("%s: and the other zones", stage)
	}
}

// maxSigners is the number of signers up to which a probe is so fast that it is not
// announced.
const maxSigners = 20

// question returns the question that a probe asks.
func question(p state.Probe) string {
	switch p.Kind {
	case state.ProbeActive:
		return "is " + p.Unit + " up, and does it stay up"
	case state.ProbeMilter:
		return "does the signer answer"
	case state.ProbeSigns, state.ProbeExim:
		if n := len(p.Signers); n > maxSigners {
			return fmt.Sprintf("does a message of each of %d senders come out signed", n)
		}
		return "does a message come out signed"
	case state.ProbeOther:
		return "does the other signer sign again"
	case state.ProbeDMARC, state.ProbeFilters:
		return "does a message from outside come out with a result of DMARC"
	case state.ProbeUnsigned:
		return "has the other signer stopped"
	case state.ProbeSMTP:
		return "does Postfix take mail"
	case state.ProbeSessions:
		return "have the mail sessions ended that began before (a client may hold one for five minutes)"
	case state.ProbePostfix:
		return "does Postfix run"
	case state.ProbeServed:
		return "does the name server serve " + dnsname.TrimDot(p.Origin)
	case state.ProbeRecipients:
		if p.Deliver != "" {
			return "would Postfix deliver mail for " + p.Deliver + ", by its own word"
		}
		return "does Postfix take mail for " + strings.Join(p.Recipients, ", ")
	}
	if p.Kind == state.ProbePolicy {
		return "does the policy service answer"
	}
	if p.Kind == state.ProbeDoor || p.Kind == state.ProbeEximDoor {
		return "does the mail server decide about mail that comes in"
	}
	return string(p.Kind)
}
