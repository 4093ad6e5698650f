package signer

import (
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/templates"
)

// Row says with which key mail of senders is signed.
type Row struct {
	Pattern                string // example.org, .example.org for what is below it, or an address
	Domain, Selector, File string
	Signer                 string // what i= says, "" for nothing
}

// Rows returns what OpenDKIM has in two tables.
func Rows(in step.Input) []Row {
	t := tablesOf(in)
	keys := make(map[string]templates.KeyRow, len(t.keys))
	for _, k := range t.keys {
		keys[k.Name] = k
	}
	rows := make([]Row, 0, len(t.signing))
	for _, s := range t.signing {
		k := keys[s.Key]
		rows = append(rows, Row{Pattern: s.Pattern, Domain: k.Domain, Selector: k.Selector, File: k.Path, Signer: s.Signer})
	}
	return rows
}

// AllSenders returns a sender of each domain of the run that signs, and the last one of
// the host.
func AllSenders(in step.Input) []state.Signer { return tablesOf(in).senders(in) }

func (t tables) senders(in step.Input) []state.Signer {
	var all []state.Signer
	taken := explicitSenders(in.Spec)
	for d := range in.Scope.Domains(in.Spec) {
		if k, ok := in.Ledger.Signing(d.Name); ok {
			all = append(all, signature(testSender(d, taken), d.Name, k))
		}
	}
	if s, ok := t.hostSigner(in); ok && (in.Keys.During == nil || in.Scope.Includes(in.Spec.Host.Domain)) {
		all = append(all, s) // which has to do with the keys of its domain only
	}
	return all
}

// Senders returns the senders of the messages that prove signing: of the host and its
// domain, or of one domain of the run. There are none while no key signs.
func Senders(in step.Input) []state.Signer {
	var all []state.Signer
	taken := explicitSenders(in.Spec)
	add := func(d spec.Domain) bool {
		k, ok := in.Ledger.Signing(d.Name)
		if ok {
			all = append(all, signature(testSender(d, taken), d.Name, k))
		}
		return ok
	}
	if !in.Scope.WholeHost() {
		for _, d := range in.Spec.Domains {
			if in.Scope.Selects(d.Name) && add(d) {
				return all
			}
		}
	}
	if s, ok := tablesOf(in).hostSigner(in); ok {
		all = append(all, s)
	}
	for _, d := range in.Spec.Domains {
		if d.Name == in.Spec.Host.Domain {
			add(d)
		}
	}
	for _, d := range in.Spec.Domains {
		if len(all) > 0 || add(d) {
			break
		}
	}
	return all
}
