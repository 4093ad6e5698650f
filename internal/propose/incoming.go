package propose

import (
	"strings"

	"mailsetup/internal/inbound"
	"mailsetup/internal/wizard"
)

// inForce proposes what incoming mail meets already, or a beginning that refuses nothing.
func inForce(p inbound.Policy) wizard.Incoming {
	if !p.On() {
		why := "a beginning that refuses nothing"
		return wizard.Incoming{SPF: wizard.Proposal{Value: string(inbound.Mark), Why: why}, DMARC: wizard.Proposal{Value: string(inbound.Mark), Why: why}}
	}
	of := func(value string) wizard.Proposal { return wizard.Proposal{Value: value, Why: "as it is now"} }
	return wizard.Incoming{SPF: of(p.SPF.String()), DMARC: of(p.DMARC.String()), DNSBL: of(strings.Join(p.DNSBL, " "))}
}
