package propose

import (
	"context"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	steps "mailsetup/steps/inbound"
)

// seeSecondaries writes into a spec which other MX hosts its domains have, since they pass
// the checks of incoming mail, and notes what changes.
func (d *draft) seeSecondaries(ctx context.Context, want *spec.Spec) {
	if !steps.WatchesSecondaries(want.Host.Inbound) || d.Root != "" {
		return
	}
	d.secondaries = append(d.secondaries, steps.SeeSecondaries(&want.Host.Inbound, d.Now, func() ([]inbound.Secondary, bool) {
		return d.Secondaries(ctx, *want, d.Facts)
	})...)
}
