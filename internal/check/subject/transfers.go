package subject

import (
	"context"
	"sync"
	"time"
)

// Transfers bounds how long a run waits, all in all, for changes of zones that secondaries
// are just fetching.
type Transfers struct {
	Within time.Duration
	// Begun: this program has changed zones just now, so a secondary that is behind is no
	// fault yet.
	Begun bool

	first sync.Once
	until time.Time
}

// Wait reports whether there is time left for a transfer, and lets some of it pass.
func (t *Transfers) Wait(ctx context.Context) bool {
	if t == nil {
		return false
	}
	t.first.Do(func() { t.until = time.Now().Add(t.Within) })
	if ctx.Err() != nil || !time.Now().Before(t.until) {
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(t.Within / 16):
	}
	return true
}

// UnderWay reports whether a secondary that is behind is not there yet, as far as is
// known.
func (t *Transfers) UnderWay() bool { return t != nil && t.Begun }
