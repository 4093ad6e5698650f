package provision

import (
	"context"

	"mailsetup/internal/apply"
	"mailsetup/internal/machine"
	"mailsetup/internal/origin"
	"mailsetup/internal/plan"
)

// Apply carries a plan out. How files were before mailsetup first changed them is written
// down for ever; until that is done, no run leaves the journal.
func Apply(ctx context.Context, m *machine.Machine, p plan.Plan, o apply.Options) (apply.Report, error) {
	known, err := origin.Remember(ctx, m.Sys, m.Journal, p)
	if err != nil {
		return apply.Report{}, err
	}
	report, err := apply.Run(ctx, m.Sys, p, m.Journal, o)
	if err != nil || !known {
		return report, err
	}
	if err := m.Journal.Prune(apply.DefaultKeep); err != nil {
		m.Logf("old runs stay in the history: %v", err)
	}
	return report, nil
}
