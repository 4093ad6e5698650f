package signers

import (
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// Choice carries out the answers to the question who signs.
type Choice struct {
	Files    system.Reader
	Ledger   keyring.Ledger // as the run found it
	Selector string         // that the command line names, "" for none
	Now      time.Time
}

// Apply carries out an answer: domains left to another signer get no key here; for
// those taken over from it, its key is copied if it is known. Pairs are the keys that
// the run makes. Changed reports whether the spec changed.
func (c Choice) Apply(in *step.Input, pairs []dkimkeys.Pair, q state.Question, replace bool) (rest []dkimkeys.Pair, changed bool) {
	i := slices.IndexFunc(in.Milters, func(m state.Milter) bool { return m.Endpoint == q.Subject })
	if i < 0 {
		return pairs, false
	}
	m, sp := in.Milters[i], &in.Spec
	if replace && len(m.Addresses) == 0 {
		if !slices.Contains(sp.Host.NonsigningMilters, m.Endpoint) {
			sp.Host.NonsigningMilters = append(slices.Clone(sp.Host.NonsigningMilters), m.Endpoint)
		}
		return pairs, true
	}
	sp.Domains = slices.Clone(sp.Domains) // shared with the spec that was asked for
	for j := range sp.Domains {
		d := &sp.Domains[j]
		switch {
		case !slices.Contains(q.Domains, d.Name):
		case !replace:
			d.SignedBy = spec.ByOther
			pairs = dkimkeys.StopSigning(in, pairs, d.Name)
		default:
			if sig, ok := postfix.SignatureWithKey(m, d.Name); ok && c.mayCopy(pairs, d.Name, sig.Selector) {
				if copied, err := dkimkeys.CopyKey(c.Files, *d, sig.Selector, sig.Key, c.Now); err == nil {
					pairs = dkimkeys.RemovePair(in, pairs, d.Name)
					dkimkeys.AddPairs(in, []dkimkeys.Pair{copied})
					d.Selector = sig.Selector
				}
			}
		}
	}
	return pairs, true
}

// mayCopy reports whether a copy of another signer's key may replace the key that the
// run makes for a domain: not if its selector was used before, nor if another selector
// was asked for.
func (c Choice) mayCopy(pairs []dkimkeys.Pair, domain, selector string) bool {
	makes := slices.ContainsFunc(pairs, func(p dkimkeys.Pair) bool { return p.Domain == domain })
	return makes && !c.Ledger.SelectorUsed(domain, selector) && (c.Selector == "" || strings.EqualFold(c.Selector, selector))
}
