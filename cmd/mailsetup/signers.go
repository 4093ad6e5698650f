package main

import (
	"context"

	"mailsetup/internal/machine"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// askMilters asks who signs already. A run about keys alone asks nobody.
func (s *session) askMilters(ctx context.Context, in steps.Input) ([]state.Milter, bool) {
	if s.steps != nil || !s.scope.WholeHost() && len(s.subjects(&in.Spec)) == 0 {
		return nil, false
	}
	if !s.milters.asked {
		_, unprivileged := s.Sys.(machine.Unprivileged)
		survey := signers.Survey{Source: s.Sys, Ask: s.asker, Lookup: signers.KeyRecords(s.Resolver), Unprivileged: unprivileged, Logf: s.c.say}
		s.milters.list, s.milters.asked = survey.Milters(ctx, in)
	}
	return s.milters.list, s.milters.asked
}
