package report

import (
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
)

// Group is findings that are told together: of the same kind, as grave, and mended in
// the same way.
type Group struct {
	Kind     finding.Kind
	Severity finding.Severity
	Findings []finding.Finding // at least one
	// Consequences are findings that go when these do.
	Consequences []finding.Finding
}

// Domains are those of the findings, each once.
func (g Group) Domains() []string {
	var list []string
	for _, f := range g.Findings {
		if f.Domain != "" && !slices.Contains(list[max(0, len(list)-1):], f.Domain) { // they are sorted
			list = append(list, f.Domain)
		}
	}
	return list
}

// Remedies are those of the findings, each once.
func (g Group) Remedies() []finding.Remedy {
	var list []finding.Remedy
	seen := map[string]bool{}
	for _, f := range g.Findings {
		if key := f.Remedy.String(); key != "" && !seen[key] {
			seen[key] = true
			list = append(list, f.Remedy)
		}
	}
	return list
}

// Groups are the findings that have to be told, without what is right or ignored: the
// worst first.
func (r Report) Groups() []Group {
	kinds := map[string]finding.Kind{}
	for _, k := range finding.Catalogue() {
		kinds[k.ID] = k
	}
	type key struct {
		severity   finding.Severity
		id, remedy string
	}
	type about struct{ id, domain string }
	var groups []*Group
	byKey, byAbout := map[key]*Group{}, map[about]*Group{}
	for _, f := range r.Findings {
		if f.Severity == finding.OK || !counts(f) {
			continue
		}
		k := key{f.Severity, f.ID, pattern(f)}
		g := byKey[k]
		if g == nil {
			kind, known := kinds[f.ID]
			if !known {
				kind = finding.Kind{ID: f.ID, Title: f.ID}
			}
			g = &Group{Kind: kind, Severity: f.Severity}
			byKey[k], groups = g, append(groups, g)
		}
		g.Findings = append(g.Findings, f)
		if a := (about{f.ID, f.Domain}); byAbout[a] == nil {
			byAbout[a] = g
		}
	}
	cause := map[about]string{} // of consequences
	for _, f := range r.Findings {
		if f.CausedBy != "" && f.Ignored == "" {
			cause[about{f.ID, f.Domain}] = f.CausedBy
		}
	}
	for _, f := range r.Findings {
		if f.CausedBy == "" || f.Ignored != "" {
			continue
		}
		g := (*Group)(nil)
		for id, steps := f.CausedBy, 0; g == nil && id != "" && steps <= len(kinds); steps++ {
			if g = byAbout[about{id, f.Domain}]; g == nil {
				g = byAbout[about{id, ""}]
			}
			next := cause[about{id, f.Domain}]
			if next == "" {
				next = cause[about{id, ""}]
			}
			id = next
		}
		if g != nil {
			g.Consequences = append(g.Consequences, f)
		}
	}
	slices.SortStableFunc(groups, func(a, b *Group) int { return rank(b.Severity) - rank(a.Severity) })
	list := make([]Group, len(groups))
	for i, g := range groups {
		list[i] = *g
	}
	return list
}

// pattern is the remedy of a finding without what is its own: two that differ in their
// domain, or in what was looked at, are told together.
func pattern(f finding.Finding) string {
	p := f.Remedy.String()
	for _, own := range []string{f.Domain, f.Subject} {
		if len(own) > 3 {
			p = strings.ReplaceAll(p, own, "\x00")
		}
	}
	return p
}
