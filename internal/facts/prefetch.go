package facts

import (
	"context"
	"slices"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// minForPrefetch is the number of domains with which there is something to read
// while programs are waited for.
const minForPrefetch = 20

// prefetch gathers facts in the background for the zones that will probably be
// needed, while domain files are read.
type prefetch struct {
	zoneNames []string
	cancel    context.CancelFunc
	done      chan struct{}
	facts     state.Facts
	err       error
}

// Prefetch begins to look at the machine where that is worth it. The names whose
// zones will probably matter are those that guess returns for the host.
func (c *Collector) Prefetch(ctx context.Context, guess func(spec.Host) []string) error {
	s := store.New(c.m.Sys)
	if c.m.Image != nil {
		return nil
	}
	names, err := s.Domains()
	if err != nil || len(names) <= minForPrefetch {
		return err
	}
	host, err := s.Host()
	if err != nil {
		return err
	}
	p := &prefetch{zoneNames: sortedUnique(guess(host)), done: make(chan struct{})}
	ctx, p.cancel = context.WithCancel(ctx)
	c.prefetched = p
	go func() {
		defer close(p.done)
		p.facts, p.err = c.detect(ctx, p.zoneNames)
	}()
	return nil
}

// machineFacts returns the facts about the machine: those that were gathered ahead
// if that was about the right zones.
func (c *Collector) machineFacts(ctx context.Context, zoneNames []string) (state.Facts, error) {
	p := c.prefetched
	c.prefetched = nil
	if p != nil && slices.Equal(p.zoneNames, zoneNames) {
		<-p.done
		p.cancel()
		return p.facts, p.err
	}
	p.stop()
	return c.detect(ctx, zoneNames)
}

// stop gives up, and waits until nothing runs any more.
func (p *prefetch) stop() {
	if p != nil {
		p.cancel()
		<-p.done
	}
}
