package dnscheck

import (
	"slices"

	"mailsetup/internal/state"
)

// Served returns what the name servers have that answered, and nothing of records of
// which none said anything.
func (r Result) Served() map[state.Record]state.Served {
	all := map[state.Record]state.Served{}
	for _, s := range r.Servers {
		for _, one := range s.Records {
			is, known := all[one.Record]
			is.Everywhere = one.OK() && (is.Everywhere || !known)
			for _, other := range one.instead() {
				if !slices.Contains(is.Instead, other) {
					is.Instead = append(is.Instead, other)
				}
			}
			all[one.Record] = is
		}
	}
	return all
}

// instead returns the records that stand in the place of the one that is expected,
// as it is not, or not alone.
func (r RecordResult) instead() []state.Record {
	if r.OK() {
		return nil
	}
	var list []state.Record
	for _, x := range candidates(r.ExpectedRecord, r.Seen) {
		if !r.satisfiedBy(x) {
			list = append(list, x)
		}
	}
	return list
}
