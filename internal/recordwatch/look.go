package recordwatch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mailsetup/internal/dnspub"
)

// Looker asks every name server in charge of records; *dnspub.Client is one.
type Looker interface {
	Look(ctx context.Context, w dnspub.Wanted, before dnspub.View) dnspub.View
}

// Limits bound the looks of one tick.
type Limits struct {
	AtOnce int           // domains
	Each   time.Duration // for one domain
	Whole  time.Duration // for all of them
}

// TickLimits are those of a tick that an administrator's command may wait for.
var TickLimits = Limits{AtOnce: 16, Each: 15 * time.Second, Whole: 2 * time.Minute}

// lookAll looks at domains in their order, and returns what was seen of those for
// which there was time. A domain that took all of its own time was seen: its
// name servers do not answer.
func lookAll(ctx context.Context, l Looker, wanted []dnspub.Wanted, limits Limits) []dnspub.View {
	ctx, cancel := context.WithTimeout(ctx, limits.Whole)
	defer cancel()
	views, done := make([]dnspub.View, len(wanted)), make([]bool, len(wanted))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(limits.AtOnce, len(wanted)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(wanted) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				each, cancel := context.WithTimeout(ctx, limits.Each)
				views[i] = l.Look(each, wanted[i], dnspub.View{})
				cancel()
				done[i] = ctx.Err() == nil
			}
		})
	}
	wg.Wait()
	var seen []dnspub.View
	for i, v := range views {
		if done[i] {
			seen = append(seen, v)
		}
	}
	return seen
}
