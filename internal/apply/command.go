package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// NextID names the nth run of a command whose first run has an ID: that of the
// first itself, and the same with a number for each that follows it.
func NextID(first string, n int) string {
	if n <= 1 {
		return first
	}
	return fmt.Sprintf("%s.%d", first, n)
}

// FirstID is the ID of the first run of the command that a run belongs to.
func FirstID(id string) string {
	first, _, _ := strings.Cut(id, ".")
	return first
}

// InverseAll returns the plan that takes back several finished runs, given
// oldest first, as Inverse does with one: the last goes first, and each begins
// where the one after it leaves the machine.
func InverseAll(ctx context.Context, runs []Entry, r system.Reader) (plan.Plan, error) {
	var all plan.Plan
	after := plan.Overlay{Reader: r, Planned: map[state.Path]state.Object{}}
	for _, e := range slices.Backward(runs) {
		p, err := Inverse(ctx, e, after)
		if err != nil {
			return plan.Plan{}, err
		}
		for _, st := range p.Stages {
			for _, c := range st.Changes {
				after.Planned[c.Path] = c.After
			}
		}
		all.Stages = append(all.Stages, p.Stages...)
		for _, n := range p.Notes {
			if !slices.Contains(all.Notes, n) {
				all.Notes = append(all.Notes, n)
			}
		}
	}
	return all, nil
}
