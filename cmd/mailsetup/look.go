package main

import (
	"context"
	"maps"
	"slices"

	"mailsetup/internal/facts"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// collector gathers the facts of this run.
func (s *session) collector() *facts.Collector {
	if s.facter == nil {
		s.facter = facts.New(s.Machine)
	}
	return s.facter
}

func (s *session) factsRequest(w *spec.Spec) facts.Request {
	return facts.Request{Spec: *w, Ledger: s.keys, Scope: s.scope, Removed: s.removed, Steps: s.steps}
}

// look finds out about the machine, and about DNS for the names of the wish.
func (s *session) look(ctx context.Context, w *spec.Spec) error {
	return s.take(s.collector().Gather(ctx, s.factsRequest(w)))
}

// lookAgain asks about what the answers added.
func (s *session) lookAgain(ctx context.Context, w *spec.Spec) error {
	return s.take(s.collector().Refresh(ctx, s.factsRequest(w), s.facts))
}

func (s *session) take(g facts.Gathered, err error) error {
	if err != nil {
		return err
	}
	if s.record == nil {
		s.record = plan.Record{}
	}
	maps.Copy(s.record, g.Pristine)
	s.facts, s.scope = g.Facts, g.Scope
	return nil
}

// primaries looks at the zones that dynamic updates go to.
func (s *session) primaries(ctx context.Context, in *steps.Input) error {
	return s.collector().LookAtUpdates(ctx, in, s.steps)
}

// subjects are the domains of a spec that the run is about.
func (s *session) subjects(w *spec.Spec) []spec.Domain {
	if s.scope.Complete() {
		return w.Domains
	}
	return slices.Collect(s.scope.Domains(*w))
}

// few domains, names in a line, senders or files.
const few = 20

func (s *session) exists(p state.Path) bool {
	o, err := s.Sys.Read(p)
	return err == nil && o.Kind != state.Absent
}
