package report

import (
	"maps"

	"mailsetup/internal/check/finding"
)

// evidence is what tells that an earlier finding is gone, and not merely not looked at.
type evidence struct {
	harmless map[identity]bool  // right, or a note
	least    map[[2]string]int  // by ID and domain: the lowest rank that was found out
	wrong    map[[2]string]bool // by group and domain: there is a problem
	looked   map[[2]string]bool // by group and domain: something is right, or a note
	unlisted map[string]bool    // groups of which what is right was only counted
}

func (r *Report) evidence() evidence {
	e := evidence{map[identity]bool{}, map[[2]string]int{}, map[[2]string]bool{}, map[[2]string]bool{}, map[string]bool{}}
	for id := range maps.Keys(r.Unlisted) {
		e.unlisted[finding.Kind{ID: id}.Group()] = true
	}
	for _, f := range r.Findings {
		group, about := [2]string{finding.Kind{ID: f.ID}.Group(), f.Domain}, [2]string{f.ID, f.Domain}
		if f.Severity == finding.Problem {
			e.wrong[group] = true
		}
		if rank(f.Severity) <= rank(finding.Note) {
			e.harmless[identity{f.ID, f.Domain, f.Subject}], e.looked[group] = true, true
		}
		if least, is := e.least[about]; f.Severity != finding.Unknown && (!is || rank(f.Severity) < least) {
			e.least[about] = rank(f.Severity)
		}
	}
	return e
}

// of reports whether what was known is gone: it, or something else of its kind, is less
// grave now; or its group looked, found nothing of that kind, and has no problem that
// could have kept it from looking. Blind: something of its group is unknown.
func (e evidence) of(k Known, blind bool) bool {
	least, found := e.least[[2]string{k.ID, k.Domain}]
	group := [2]string{finding.Kind{ID: k.ID}.Group(), k.Domain}
	switch {
	case e.harmless[k.identity]:
		return true
	case blind:
		return false
	case found:
		return least < max(rank(k.Severity), rank(k.Told))
	case e.wrong[group] || e.wrong[[2]string{"dns", k.Domain}]:
		return false
	}
	return e.looked[group] || e.unlisted[group[0]]
}
