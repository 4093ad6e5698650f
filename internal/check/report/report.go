// Package report says what a check found: as text for a terminal, as data, and for
// programs that watch servers.
package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/text"
)

// Report is the outcome of a check.
type Report struct {
	Server  string // its name in EHLO
	Time    time.Time
	Domains []string
	Summary Summary
	Score   *Score // nil if --only left most of it out
	finding.Result
	// Passed counts what is right by ID, also what Findings leaves out where there are
	// many domains.
	Passed  map[string]int
	Skipped []Skipped
	// Changes are what differs from what was told before, and Since when that was; nil
	// unless they were asked for.
	Changes []Change
	Since   time.Time

	// Failed says why not all was mended that was to be.
	Failed *jsondoc.Error

	asked Asked
}

// Summary counts findings. Consequences of others are in none of the numbers, and
// ignored ones in one of their own.
type Summary struct {
	Problems     int
	Warnings     int
	Unknown      int
	Notes        int
	OK           int
	Ignored      int
	Consequences int
	Skipped      int // kinds of findings that there are none of
	Fixable      int // problems and warnings that check --fix mends
}

// Empty reports whether nothing was looked at: neither passed nor failed.
func (s Summary) Empty() bool {
	return s.Problems+s.Warnings+s.Unknown+s.Notes+s.OK+s.Ignored+s.Consequences == 0
}

// Skipped is a kind that was not looked at.
type Skipped struct {
	ID     string
	Reason string
}

// Asked is what was looked at, and how.
type Asked struct {
	Server                   string
	Time                     time.Time
	Domains                  []string
	EveryDomain              bool // no domain was named
	Selection                finding.Selection
	Offline, Online          bool
	Unprivileged, NotManaged bool
	// Needs are those of groups of checks, by ID, beside those of the catalogue.
	Needs map[string]finding.Need
}

// New makes the report of what was found.
func New(found finding.Result, a Asked) Report {
	r := Report{Server: a.Server, Time: a.Time.UTC().Truncate(time.Second), Domains: a.Domains, Result: found, asked: a}
	if r.Domains == nil {
		r.Domains = []string{}
	}
	r.Findings = complete(append(r.Findings, unanswered(a, found.Findings)...))
	fold(r.Findings)
	r.Passed = maps.Clone(found.Unlisted)
	if r.Passed == nil {
		r.Passed = map[string]int{}
	}
	for _, f := range r.Findings {
		if f.Severity == finding.OK {
			r.Passed[f.ID]++
		}
	}
	r.Skipped = a.skipped(r)
	r.Summary = summarize(r)
	if len(a.Selection.Only) == 0 {
		s := rate(r)
		r.Score = &s
	}
	return r
}

// summarize counts.
func summarize(r Report) Summary {
	s := Summary{Skipped: len(r.Skipped)}
	for _, n := range r.Passed {
		s.OK += n
	}
	for _, f := range r.Findings {
		switch {
		case f.Severity == finding.OK:
		case f.Ignored != "":
			s.Ignored++
		case f.CausedBy != "":
			s.Consequences++
		case f.Severity == finding.Problem:
			s.Problems++
		case f.Severity == finding.Warning:
			s.Warnings++
		case f.Severity == finding.Unknown:
			s.Unknown++
		default:
			s.Notes++
		}
		if isFixable(f) {
			s.Fixable++
		}
	}
	return s
}

// isFixable reports whether check --fix mends a problem or a warning.
func isFixable(f finding.Finding) bool {
	return f.Fixable && counts(f) && rank(f.Severity) >= rank(finding.Warning)
}

// counts reports whether a finding has a number of its own: it is neither ignored nor
// the consequence of another.
func counts(f finding.Finding) bool { return f.Ignored == "" && f.CausedBy == "" }

// rank orders severities by how much they matter.
func rank(s finding.Severity) int {
	return slices.Index([]finding.Severity{finding.OK, finding.Note, finding.Unknown, finding.Warning, finding.Problem}, s)
}

// skipped are the kinds of the catalogue that there is no finding of.
func (a Asked) skipped(r Report) []Skipped {
	found := map[string]bool{}
	for _, f := range r.Findings {
		found[f.ID] = true
	}
	list := []Skipped{}
	for _, k := range finding.Catalogue() {
		if !found[k.ID] && r.Passed[k.ID] == 0 {
			list = append(list, Skipped{k.ID, a.reason(k)})
		}
	}
	return list
}

// Reasons why there is no finding of a kind.
const (
	notOnly    = "--only"
	skipAsked  = "--skip"
	needsNet   = "needs --online"
	isOffline  = "--offline"
	needsRoot  = "needs root"
	needsSetup = "needs mailsetup init"
	notHere    = "does not apply"
	notChecked = "never checked"
)

// reason says why there is no finding of a kind.
func (a Asked) reason(k finding.Kind) string {
	needs := k.Needs | a.Needs[k.ID]
	switch only := (finding.Selection{Only: a.Selection.Only}); {
	case !only.Wants(k.ID):
		return notOnly
	case !a.Selection.Wants(k.ID):
		return skipAsked
	case k.Excluded != "":
		return notChecked
	case needs&finding.Resolver != 0 && a.Offline:
		return isOffline
	case needs&finding.Outside != 0 && !a.Online:
		return needsNet
	case needs&finding.Root != 0 && a.Unprivileged:
		return needsRoot
	case needs&finding.Setup != 0 && a.NotManaged:
		return needsSetup
	}
	return notHere
}

// unanswered are findings about what was asked for by name and could not be looked at.
func unanswered(a Asked, found []finding.Finding) []finding.Finding {
	var list []finding.Finding
	for _, k := range finding.Catalogue() {
		if !a.Selection.Names(k.ID) || slices.ContainsFunc(found, func(f finding.Finding) bool { return f.ID == k.ID }) {
			continue
		}
		f := finding.Finding{ID: k.ID, Severity: finding.Unknown}
		switch a.reason(k) {
		case notChecked:
			f.Seen = "not checked: " + k.Excluded
		case needsNet:
			f.Seen, f.Remedy = "it asks hosts of others, and --online was not given", finding.Command("mailsetup check --online --only %s", k.ID)
		case isOffline:
			f.Seen, f.Remedy = "it asks DNS, and --offline was given", finding.Command("mailsetup check --only %s", k.ID)
		case needsRoot:
			f.Seen, f.Remedy = "only root may see it", finding.Command("mailsetup check --only %s", k.ID)
		default:
			continue
		}
		list = append(list, f)
	}
	return list
}

// complete fills in what the kind of a finding says, leaves one of each identity, the
// worst, and sorts: by the catalogue, by domain, by what was looked at.
func complete(list []finding.Finding) []finding.Finding {
	place, kinds := map[string]int{}, map[string]finding.Kind{}
	for i, k := range finding.Catalogue() {
		place[k.ID], kinds[k.ID] = i+1, k
	}
	for i := range list {
		f, k := &list[i], kinds[list[i].ID]
		f.Expected = text.Printable(f.Expected) // with texts of others in it
		f.Why, f.Source = cmp.Or(f.Why, k.Why), cmp.Or(f.Source, k.Source)
		if f.Severity == finding.OK {
			f.Remedy, f.Fixable, f.Ignored, f.CausedBy = nil, false, "", ""
		}
	}
	slices.SortStableFunc(list, func(a, b finding.Finding) int {
		return cmp.Or(cmp.Compare(place[a.ID], place[b.ID]), cmp.Compare(a.Domain, b.Domain),
			cmp.Compare(a.Subject, b.Subject), -cmp.Compare(rank(a.Severity), rank(b.Severity)))
	})
	list = slices.CompactFunc(list, func(a, b finding.Finding) bool {
		return a.ID == b.ID && a.Domain == b.Domain && a.Subject == b.Subject
	})
	if list == nil {
		list = []finding.Finding{}
	}
	return list
}
