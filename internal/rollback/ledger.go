package rollback

import (
	"slices"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// keepLedger keeps the keys in the ledger that a rollback would remove, as gone:
// resolvers may have cached the record of a selector, so it is never used for another
// key.
func keepLedger(p plan.Plan, now time.Time) plan.Plan {
	dir := keyring.Dir()
	before := map[state.Path][]keyring.Key{} // the ledgers before the rollback
	left := map[state.Path]state.Object{}    // as the changes so far leave them
	lost := false
	for i := range p.Stages {
		for j := range p.Stages[i].Changes {
			c := &p.Stages[i].Changes[j]
			if c.Path.Dir() != dir {
				continue
			}
			if _, seen := before[c.Path]; !seen {
				before[c.Path], _ = keyring.ParseDomain(c.Before.Content)
				left[c.Path] = c.Before
			}
			c.Before = left[c.Path]
			lost = keepKeys(c, before[c.Path], now) || lost
			left[c.Path] = c.After
		}
	}
	if lost {
		p = without(p, dir, dir.Dir())
		p.Notes = append(p.Notes, state.Note{
			Topic: "dkim",
			Text:  "mail that this server signed and that is still under way will no longer verify",
		})
	}
	return p
}

// keepKeys adds the keys to a change of the ledger that it would remove, and reports
// whether there are any.
func keepKeys(c *plan.Change, before []keyring.Key, now time.Time) bool {
	var after []keyring.Key
	if c.After.Kind == state.Regular {
		var err error
		if after, err = keyring.ParseDomain(c.After.Content); err != nil {
			return false
		}
	}
	lost := slices.DeleteFunc(slices.Clone(before), func(k keyring.Key) bool {
		// An adopted key goes back to whom it was taken from, and goes on signing.
		return k.Adopted || slices.ContainsFunc(after, func(o keyring.Key) bool {
			return strings.EqualFold(o.Selector, k.Selector) && (k.SlotZone == "" || o.Fingerprint == k.Fingerprint)
		})
	})
	if len(lost) == 0 {
		return false
	}
	if c.Op == plan.Remove {
		c.Op, c.After = plan.Modify, c.Before
	}
	c.After.Content = keyring.MarshalDomain(append(after, keyring.Withdrawn(lost, now)...))
	c.Why = "the selector stays used: nobody may meet another key under it"
	return true
}

// without returns the plan without the changes of some paths.
func without(p plan.Plan, paths ...state.Path) plan.Plan {
	for i := range p.Stages {
		p.Stages[i].Changes = slices.DeleteFunc(p.Stages[i].Changes, func(c plan.Change) bool {
			return slices.Contains(paths, c.Path)
		})
	}
	return p
}
