package signer

import (
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

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
