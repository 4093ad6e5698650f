package provision

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Brought is what runs put in place that was made elsewhere, before they go on from there
// as from what an earlier run left.
type Brought struct {
	Steps []step.Step           // after the packages, whose users own some of it
	Texts map[state.Path][]byte // of TOML files: what is changed in them is changed there
	Keys  map[state.Path]bool   // private keys that need not be there before
}

// among returns the steps of a run with those of what is brought.
func (b Brought) among(all []step.Step) []step.Step {
	if len(b.Steps) == 0 {
		return all
	}
	return slices.Concat(all[:1], b.Steps, all[1:])
}
