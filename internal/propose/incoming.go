package propose

import (
	"strings"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/wizard"
)

// inForce proposes what incoming mail meets already, or a beginning that refuses nothing.
func inForce(h spec.Host, rspamd bool) wizard.Incoming {
	in := inForceWith(h.Inbound, rspamd)
	if in.NoDMARC = h.MTA == spec.Exim; in.NoDMARC {
		in.DMARC = wizard.Proposal{}
	}
	return in
}

func inForceWith(p inbound.Policy, rspamd bool) wizard.Incoming {
	mark := wizard.Proposal{Value: string(inbound.Mark), Why: "a beginning that refuses nothing"}
	if !p.On() {
		return wizard.Incoming{SPF: mark, DMARC: mark, Rspamd: rspamd}
	}
	of := func(value string) wizard.Proposal { return wizard.Proposal{Value: value, Why: "as it is now"} }
	in := wizard.Incoming{SPF: of(p.SPF.String()), DMARC: of(p.DMARC.String()), DNSBL: of(strings.Join(p.DNSBL, " ")), Rspamd: rspamd}
	if p.DMARC.Refuses() && !rspamd { // which a run refuses
		in.DMARC = mark
	}
	return in
}

// incoming has the first init ask what incoming mail is to meet, and begin nothing with an
// answer that nobody gave. A server that is set up is asked by mailsetup inbound.
func (b *Basis) incoming() wizard.Incoming {
	if b.Spec != nil || b.Root != "" {
		return wizard.Incoming{}
	}
	off := wizard.Proposal{Value: inbound.Off.String(), Why: "mailsetup inbound asks again whenever you like"}
	return wizard.Incoming{SPF: off, DMARC: off, Rspamd: b.Facts.Rspamd}
}
