package check

import (
	"context"

	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/machine"
	"mailsetup/internal/schedule"
	"mailsetup/internal/signers"
	"mailsetup/internal/store"
)

// keys finds out how long keys have been in their stages, whether something looks after
// them, and with which keys others sign.
func (l *seen) keys(ctx context.Context, m *machine.Machine, from source.Source) {
	s := &l.server
	if s.SetUp {
		s.Elapsed, _ = store.AdvanceElapsed(m.Sys, s.Ledger, false, m.Logf) // without it, nothing is overdue
		every, _ := schedule.Look(ctx, from)                                // without an answer, nothing ticks
		s.Ticks = every.Ticks()
	}
	var others []string
	for _, d := range l.domains {
		if d.Wanted == nil || d.Wanted.SignedBy != "" {
			others = append(others, d.Name)
		}
	}
	if len(others) == 0 {
		return
	}
	found := signers.ConfiguredKeys(ctx, from, s.Facts, others)
	for i := range l.domains {
		d := &l.domains[i]
		for _, k := range found[d.Name] {
			d.Selectors = append(d.Selectors, subject.Selector{Name: k.Selector, Domain: k.Domain, KeyFile: k.File, Program: k.Program})
			// A row for all senders signs as another domain: that says nothing of this one.
			d.Sends = d.Sends || d.Wanted == nil && k.Domain == d.Name
		}
	}
}
