package recordwatch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mailsetup/internal/dnscheck"
)

// Checker asks every authoritative name server for records.
type Checker func(ctx context.Context, want dnscheck.Expected) dnscheck.Result

// Limits bound the checks of one tick.
type Limits struct {
	AtOnce    int           // domains
	PerDomain time.Duration // for one domain
	Total     time.Duration // for all of them
}

// TickLimits are the limits of a scheduled tick: a command of the administrator may be
// waiting for the lock.
var TickLimits = Limits{AtOnce: 64, PerDomain: 15 * time.Second, Total: 2 * time.Minute}

// checkAll checks domains in order and returns the results of those for which there was
// time. A domain that used up its own time has a result: its name servers do not
// answer.
func checkAll(ctx context.Context, check Checker, wanted []dnscheck.Expected, limits Limits) []dnscheck.Result {
	ctx, cancel := context.WithTimeout(ctx, limits.Total)
	defer cancel()
	views, done := make([]dnscheck.Result, len(wanted)), make([]bool, len(wanted))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(limits.AtOnce, len(wanted)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(wanted) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				each, cancel := context.WithTimeout(ctx, limits.PerDomain)
				views[i] = check(each, wanted[i])
				cancel()
				done[i] = ctx.Err() == nil
			}
		})
	}
	wg.Wait()
	var seen []dnscheck.Result
	for i, v := range views {
		if done[i] {
			seen = append(seen, v)
		}
	}
	return seen
}
