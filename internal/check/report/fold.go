package report

import (
	"strings"

	"mailsetup/internal/check/finding"
)

// fold leaves CausedBy where the finding that it names is there: then this one is a
// consequence, told with its cause and not counted. Elsewhere it counts, and names no
// cause. It may name a group (dkim): then any finding of that is the cause.
func fold(list []finding.Finding) {
	type about struct{ id, domain string }
	named := map[string]bool{} // as causes, few of tens of thousands of findings
	for _, f := range list {
		named[f.CausedBy] = true
	}
	at := map[about][]int{}
	for i, f := range list {
		if f.Severity == finding.OK {
			continue
		}
		if named[f.ID] {
			at[about{f.ID, f.Domain}] = append(at[about{f.ID, f.Domain}], i)
		}
		if group, _, more := strings.Cut(f.ID, "."); more && named[group] {
			at[about{group, f.Domain}] = append(at[about{group, f.Domain}], i)
		}
	}
	const (
		open = iota
		looking
		done
	)
	state := make([]int, len(list))
	var settle func(i int)
	settle = func(i int) {
		if state[i] != open {
			return
		}
		state[i] = looking
		f, caused := &list[i], false
		if f.CausedBy != "" {
			causes := at[about{f.CausedBy, f.Domain}]
			if f.Domain != "" {
				causes = append(causes[:len(causes):len(causes)], at[about{f.CausedBy, ""}]...)
			}
			for _, c := range causes {
				if caused {
					break
				}
				settle(c)
				// What is not known because of something that the administrator ignores is
				// ignored as well. What is worse than its cause, or wrong because of one that is
				// ignored, would be told to nobody. Of two that name each other one counts.
				if state[c] == done && list[c].Ignored != "" && f.Ignored == "" && f.Severity == finding.Unknown {
					f.Ignored = list[c].Ignored
				}
				caused = state[c] == done && list[c].Ignored == "" && rank(list[c].Severity) >= rank(f.Severity)
				if caused {
					f.CausedBy = list[c].ID
				}
			}
		}
		if !caused {
			f.CausedBy = ""
		}
		state[i] = done
	}
	for i := range list {
		settle(i)
	}
}
