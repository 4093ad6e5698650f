package dnscheck

import (
	"context"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/parallel"
)

// Pauses between two checks: short while somebody watches, longer later, to be easy
// on the servers of others.
const (
	firstPause = 2 * time.Second
	lastPause  = 30 * time.Second
)

// maxDomains is how many domains are checked at a time. The client bounds the questions.
const maxDomains = 64

// manyDomains are so many that what is found out of each is not kept for the others.
const manyDomains = 1000

// Progress is how far a Watch has come.
type Progress struct {
	Results   []Result      // of the last check, one for each domain
	Next      time.Duration // until the next check; 0 right after one
	Remaining time.Duration // until Watch gives up
}

// Watch checks domains until the name servers of all serve what they should, or the
// timeout is over, and returns the results of the last check. It calls onUpdate
// after each check and every second in between.
func Watch(ctx context.Context, c *dnsclient.Client, want []Expected, timeout time.Duration, onUpdate func(Progress)) ([]Result, error) {
	deadline := time.Now().Add(timeout)
	results := make([]Result, len(want))
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		checkAll(ctx, c, want, results)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		left := time.Until(deadline)
		onUpdate(Progress{Results: results, Remaining: left})
		if Complete(results) == len(results) || left <= 0 {
			return results, nil
		}
		next := time.Now().Add(min(pause, left))
		for rest := time.Until(next); rest > 0; rest = time.Until(next) {
			onUpdate(Progress{Results: results, Next: rest, Remaining: time.Until(deadline)})
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(min(time.Second, rest)):
			}
		}
	}
}

// checkAll checks the domains that are not complete yet. What they have in common is looked
// up once.
func checkAll(ctx context.Context, c *dnsclient.Client, want []Expected, results []Result) {
	if c = c.WithCache(); len(want) > manyDomains {
		c = c.WithSmallCache()
	}
	_ = parallel.Do(len(want), maxDomains, func(i int) error {
		if !results[i].OK() {
			results[i] = Check(ctx, c, want[i], results[i])
			results[i].forget()
		}
		return nil
	})
}

// forget forgets of a domain that has all its records what only further checks need: of
// thousands that is much.
func (v *Result) forget() {
	if !v.OK() {
		return
	}
	v.found = nil
	for _, s := range v.Servers {
		for i := range s.Records {
			r := &s.Records[i]
			if r.answer = (Answer{}); len(r.Seen) == 1 && r.Seen[0] == r.Record {
				r.Seen[0] = r.Record // the same text, once
			}
		}
	}
}

// Complete returns how many domains have all their records on all name servers.
func Complete(results []Result) int {
	n := 0
	for _, r := range results {
		if r.OK() {
			n++
		}
	}
	return n
}
