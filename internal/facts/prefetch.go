package facts

import (
	"context"
	"slices"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// minForPrefetch is the number of domains from which reading their files takes long
// enough to gather facts meanwhile.
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

// Prefetch starts to gather facts in the background if that is worth it. guess returns
// the names whose zones will probably be needed.
func (c *Collector) Prefetch(ctx context.Context, guess func(spec.Host) []string) error {
	if c.m.Image != nil {
		return nil
	}
	if more, err := store.HasMoreDomains(c.m.Sys, minForPrefetch); err != nil || !more {
		return err
	}
	host, err := store.New(c.m.Sys).Host()
	if err != nil {
		return err
	}
	p := &prefetch{zoneNames: sortedUnique(guess(host)), done: make(chan struct{})}
	ctx, p.cancel = context.WithCancel(ctx)
	c.prefetched = p
	go func() {
		defer close(p.done)
		p.facts, p.err = c.detect(ctx, source.Options{Origins: p.zoneNames})
	}()
	return nil
}

// machineFacts returns the facts about the machine: the prefetched ones if they are
// about the right zones. Without a hostname in the spec, the zone of the machine's own
// name is among them: it will probably be the hostname.
func (c *Collector) machineFacts(ctx context.Context, r Request) (state.Facts, error) {
	p := c.prefetched
	c.prefetched, c.zoneNames = nil, r.zoneNames()
	if p != nil && slices.Equal(p.zoneNames, c.zoneNames) {
		<-p.done
		p.cancel()
		return p.facts, p.err
	}
	p.stop()
	own := r.Steps == nil && r.Scope.WholeHost() && r.Spec.Host.Hostname == ""
	f, err := c.detect(ctx, source.Options{Origins: c.zoneNames, OwnName: own})
	if own {
		c.zoneNames = sortedUnique(append(c.zoneNames, f.FQDN))
	}
	return f, err
}

// stop cancels the work and waits for its end.
func (p *prefetch) stop() {
	if p != nil {
		p.cancel()
		<-p.done
	}
}
