// Package settle puts probes to running daemons: until all pass, or once, to see which
// pass already. Zones are asked about side by side.
package settle

import (
	"context"
	"sync"
	"time"

	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	// zonesAtOnce is the number of zones that a name server is asked about at a time.
	zonesAtOnce = 32
	// forEachZone is what each of many zones adds to the time that all of them have
	// together: BIND loads some thousands in a second, one after the other.
	forEachZone = 20 * time.Millisecond
)

// Wait waits until all probes have passed, in order, and returns the error of the first
// one that has not. Zones that follow each other have one deadline together. Begins is
// told which probe is waited for.
func Wait(ctx context.Context, s system.Prober, probes []state.Probe, begins func(state.Probe)) error {
	for len(probes) > 0 {
		n := max(zones(probes), 1)
		for _, p := range probes[:n] {
			begins(p)
		}
		ask := s.Probe
		if n > 1 {
			ask = func(ctx context.Context, _ state.Probe) error { return allServed(ctx, s, probes[:n]) }
		}
		if err := ask(ctx, probes[0]); err != nil {
			return err
		}
		probes = probes[n:]
	}
	return nil
}

// zones returns how many probes at the start of a list are about zones.
func zones(probes []state.Probe) int {
	for i, p := range probes {
		if p.Kind != state.ProbeServed {
			return i
		}
	}
	return len(probes)
}

// allServed waits until a name server serves all zones. What the others say is not waited
// for once one has failed.
func allServed(ctx context.Context, s system.Prober, probes []state.Probe) (failed error) {
	within := time.Duration(len(probes)) * forEachZone
	for _, p := range probes {
		within = max(within, p.Within+time.Duration(len(probes))*forEachZone)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var first sync.Once
	_ = parallel.Do(len(probes), zonesAtOnce, func(i int) error {
		p := probes[i]
		p.Within = within
		if err := s.Probe(ctx, p); err != nil {
			first.Do(func() { failed = err })
			cancel()
		}
		return nil
	})
	return failed
}

// Now returns an error unless a probe passes now.
func Now(ctx context.Context, s system.Prober, p state.Probe) error { return s.Probe(ctx, short(p)) }

// Passing returns those of some probes that pass now.
func Passing(ctx context.Context, s system.Prober, probes []state.Probe) []state.Probe {
	var passing []state.Probe
	for len(probes) > 0 {
		n := max(zones(probes), 1)
		passes := make([]bool, n)
		ask := func(i int) error {
			passes[i] = Now(ctx, s, probes[i]) == nil
			return nil
		}
		if n > 1 {
			_ = parallel.Do(n, zonesAtOnce, ask)
		} else {
			_ = ask(0)
		}
		for i, p := range probes[:n] {
			if passes[i] {
				passing = append(passing, p)
			}
		}
		probes = probes[n:]
	}
	return passing
}

// short returns a probe for what should answer at once. A mail server gets more time than
// a name server, since it starts a process for each session; and what a name server says
// counts at once, since nothing is on its way to it.
func short(p state.Probe) state.Probe {
	p.Within = 5 * time.Second
	if p.Kind == state.ProbeServed {
		p.Within, p.Once = time.Second, true
	}
	return p
}
