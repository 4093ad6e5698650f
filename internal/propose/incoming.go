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

// incoming proposes at the first init what incoming mail is to meet: a beginning that
// refuses nothing. A server that is set up goes on as it is; where rspamd sees the mail it
// checks all of that itself, and beside an OpenDKIM made by hand nothing more is begun
// unasked.
func (b *Basis) incoming() wizard.Incoming {
	if b.Spec != nil || b.Root != "" || b.Adopted != nil || b.Facts.Rspamd {
		return wizard.Incoming{}
	}
	return inForce(inbound.Policy{})
}
