package rotation

import (
	"context"
	"slices"
	"time"

	"mailsetup/internal/text"
)

// allRounds takes rounds of steps until nothing is due, and reports whether there was
// any.
func (r *run) allRounds(ctx context.Context) (acted bool, err error) {
	began := time.Now()
	for n := 0; n < maxRounds; {
		did, err := r.runRound(ctx)
		if err != nil || r.DryRun {
			return acted || did, err
		}
		if r.until.passed() || !did && (!r.awaitsCompromised() || time.Since(began) > compromiseWait) {
			return acted || did, nil
		}
		if did {
			acted = true
			n++
		} else if err := pause(ctx, compromisePause); err != nil {
			return acted, err
		}
		if err := r.reload(); err != nil {
			return acted, err
		}
		r.now = r.Clock()
	}
	return acted, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// runRound takes the steps that are safe now; false if there was none.
func (r *run) runRound(ctx context.Context) (bool, error) {
	r.due = Transitions{}
	if r.started == nil {
		r.started = map[string]bool{}
		r.markCompromised()
		for _, domain := range r.marked { // to write that down, whatever else is due
			r.due[domain] = nil
		}
	}
	if err := r.loadElapsed(); err != nil {
		return false, err
	}
	r.observe(ctx)
	r.planTransitions()
	parts := []Transitions{r.due}
	switch {
	case r.Compromised: // their marks are not written down yet
	case !r.DryRun || r.Brief:
		parts = r.due.parts(maxPlanned)
	}
	all := r.due
	did, err := r.takeParts(ctx, parts)
	if did && r.DryRun {
		r.UI.ShowTransitions(r.describe(all, r.report.Domains()))
	}
	return did, err
}

// takeParts takes the steps of one part after the other.
func (r *run) takeParts(ctx context.Context, parts []Transitions) (did bool, err error) {
	for n, part := range parts {
		var rest []string
		for _, later := range parts[n:] {
			rest = append(rest, later.Domains()...)
		}
		switch r.due = part; {
		case len(rest) == 0:
			return did, nil
		case n > 0 && r.lost != nil:
			r.skip(r.lost, rest...)
			return did, nil
		case n > 0 && r.until.passed() && !r.asksForStep():
			r.UI.Logf("no time was left for %s: the next run goes on with them", text.List(rest, maxListed))
			return did, nil
		case r.DryRun:
		case n > 0:
			if err := r.reload(); err != nil {
				return did, err
			}
		case len(parts) > 1 && slices.ContainsFunc(parts, func(t Transitions) bool { return !t.RecordsOnly() }):
			r.UI.Logf("steps are due in %d domains, which are taken %d at a time", len(rest), maxPlanned)
		}
		more, err := r.takePart(ctx)
		if did = did || more; err != nil {
			return did, err
		}
	}
	return did, nil
}

// takePart takes the steps that are due now.
func (r *run) takePart(ctx context.Context) (did bool, err error) {
	if r.facts, err = r.Provisioner.Gather(ctx, r.request(r.due.Domains())); err != nil {
		return false, err
	}
	r.skipUnusableZones()
	return r.applyIsolating(ctx)
}
