package main

import (
	"context"
	"slices"

	"mailsetup/internal/detect"
	"mailsetup/internal/state"
)

// glance is a look at the machine that began before it was certain which zones
// matter: while programs are waited for, the files of many domains are read.
type glance struct {
	origins []string
	cancel  context.CancelFunc
	done    chan struct{}
	facts   state.Facts
	err     error
}

// ahead begins to look at the machine where that is worth it: with few domains
// there is nothing to read meanwhile.
func (s *session) ahead(ctx context.Context) error {
	if s.Image != nil || s.o.zones == nil {
		return nil
	}
	names, err := s.store().Domains()
	if err != nil || len(names) <= few {
		return err
	}
	host, err := s.store().Host()
	if err != nil {
		return err
	}
	g := &glance{origins: named(s.o.zones(host)), done: make(chan struct{})}
	ctx, g.cancel = context.WithCancel(ctx)
	s.glance = g
	go func() {
		defer close(g.done)
		g.facts, g.err = s.machine(ctx, g.origins)
	}()
	return nil
}

// lookedAt are the facts about the machine: those of the glance if it was at the
// right zones.
func (s *session) lookedAt(ctx context.Context, origins []string) (state.Facts, error) {
	g := s.glance
	if g == nil {
		return s.machine(ctx, origins)
	}
	s.glance = nil
	if slices.Equal(g.origins, origins) {
		<-g.done
		g.cancel()
		return g.facts, g.err
	}
	g.end()
	return s.machine(ctx, origins)
}

// end gives up, and waits until nothing runs any more.
func (g *glance) end() {
	if g != nil {
		g.cancel()
		<-g.done
	}
}

func (s *session) machine(ctx context.Context, origins []string) (state.Facts, error) {
	return detect.Machine(ctx, source{s.Sys}, detect.Options{Files: factFiles, Origins: origins})
}
