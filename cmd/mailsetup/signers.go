package main

import (
	"context"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/machine"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
)

// askMilters asks who signs already. A run about keys alone asks nobody.
func (s *session) askMilters(ctx context.Context, w *work) {
	if s.steps != nil || !s.scope.WholeHost() && len(s.subjects(&w.input.Spec)) == 0 {
		return
	}
	if !s.milters.asked {
		_, unprivileged := s.Sys.(machine.Unprivileged)
		survey := signers.Survey{Source: s.Sys, Ask: s.asker, Lookup: signers.KeyRecords(s.Resolver), Unprivileged: unprivileged, Logf: s.c.say}
		s.milters.list, s.milters.asked = survey.Milters(ctx, w.input)
	}
	w.input.Milters, w.input.MiltersAsked = s.milters.list, s.milters.asked
}

// signerChosen carries out the answer to who signs, and reports whether the wish
// changed.
func (s *session) signerChosen(w *work, q state.Question, yes bool) (changed bool) {
	choice := signers.Choice{Files: s.Sys, Ledger: s.keys, Selector: s.asksSelector, Now: s.Now}
	w.fresh, changed = choice.Apply(&w.input, w.fresh, q, yes)
	return changed
}

// leave takes a domain out of what is signed here.
func (w *work) leave(domain string) { w.fresh = dkimkeys.StopSigning(&w.input, w.fresh, domain) }
