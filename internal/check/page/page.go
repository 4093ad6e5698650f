// Package page writes what a check found as one HTML page, to be looked at in a browser
// and handed on: nothing in it is fetched from elsewhere, and no script runs.
package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

// Options are what a page says of the program.
type Options struct {
	Version string
	Typed   hint.Typed // how commands of this program are typed
}

var (
	//go:embed page.tmpl
	layout string
	//go:embed page.css
	style string

	page = template.Must(template.New("page").Funcs(template.FuncMap{
		"css":  func() template.CSS { return template.CSS(style) },
		"word": func(s finding.Severity) string { return words[s] },
	}).Parse(layout))
)

// words are severities as a customer reads them.
var words = map[finding.Severity]string{
	finding.Problem: "Problem", finding.Warning: "Warning", finding.Unknown: "Unknown", finding.Note: "Note", finding.OK: "Good",
}

// How much of many things is shown: a page with ten thousand domains would open in no
// browser.
const (
	maxNamed    = 10
	maxSeen     = 20 // lines of what was seen in a group
	maxRemedies = 20 // of a group
	maxGroups   = 100
	maxPictures = 60 // of each sort
)

// HTML returns the page of a report. What others wrote is escaped, and what a browser
// would obey without showing it is written out (text.Printable).
func HTML(r report.Report, o Options) ([]byte, error) {
	var out bytes.Buffer
	if err := page.Execute(&out, newView(r, o)); err != nil {
		return nil, fmt.Errorf("make the page: %w", err)
	}
	return []byte(text.PrintableLines(out.String())), nil
}

// view is what the template prints.
type view struct {
	Generator string // see ours
	Server    string
	Date      string
	About     string // the domains
	Severity  finding.Severity
	Verdict   string
	Counts    string
	Score     *report.Score
	Arc       int // part of the circle of the score, of 100
	Sections  []section
	Notes     *section // below the pictures
	Pictures  []chapter
	Good      []good
	Ignored   []finding.Finding
	LeftOut   string
	Version   string
}

// section is all that is of one severity.
type section struct {
	ID, Title string
	Groups    []group
	More      int
}

// group is a report.Group in words.
type group struct {
	report.Group
	Title   string
	Domains string
	Seen    []string
	More    int // things that are not in Seen
	First   finding.Finding
	So      []string // consequences
	Remedy  []remedy
}

// remedy is what to do: prose, or lines to copy.
type remedy struct {
	Prose string
	Code  string
}

// good is what is right in one area.
type good struct {
	Area   string
	Titles []string
}

func newView(r report.Report, o Options) view {
	v := view{
		Generator: ours, Server: r.Server, Date: r.Time.Format("2006-01-02 15:04 MST"), About: text.List(r.Domains, maxNamed),
		Score: r.Score, Version: o.Version, LeftOut: report.LeftOut(r.Skipped), Good: rights(r), Pictures: pictures(r),
	}
	v.Severity, v.Verdict = verdict(r.Summary)
	v.Counts = counts(r.Summary)
	if s := r.Score; s != nil && s.Of > 0 {
		v.Arc = int(100 * s.Points / s.Of)
	} else {
		v.Score = nil
	}
	all := r.Groups()
	for _, s := range []struct {
		severity  finding.Severity
		id, title string
	}{
		{finding.Problem, "problems", "What keeps mail from arriving"},
		{finding.Warning, "warnings", "What may become a problem"},
		{finding.Unknown, "unknown", "What could not be found out"},
		{finding.Note, "notes", "Worth knowing"},
	} {
		sec := section{ID: s.id, Title: s.title}
		for _, g := range all {
			switch {
			case g.Severity != s.severity:
			case len(sec.Groups) == maxGroups:
				sec.More++
			default:
				sec.Groups = append(sec.Groups, newGroup(g, o.Typed))
			}
		}
		switch {
		case len(sec.Groups) == 0:
		case s.severity == finding.Note:
			v.Notes = &sec
		default:
			v.Sections = append(v.Sections, sec)
		}
	}
	for _, f := range r.Findings {
		if f.Ignored != "" && f.Severity != finding.OK && len(v.Ignored) < maxSeen {
			v.Ignored = append(v.Ignored, f)
		}
	}
	return v
}

// verdict is the sentence that a customer reads first.
func verdict(s report.Summary) (finding.Severity, string) {
	switch {
	case s.Problems > 0:
		return finding.Problem, text.CountOf(s.Problems, "problem keeps", "problems keep") + " mail from arriving"
	case s.OK+s.Notes == 0:
		return finding.Unknown, "Nothing could be found out"
	case s.Warnings > 0:
		return finding.Warning, "Mail arrives, and " + text.CountOf(s.Warnings, "thing needs", "things need") + " care"
	case s.Unknown > 0:
		return finding.Unknown, "Nothing is wrong, and not all could be found out"
	}
	return finding.OK, "Nothing is wrong"
}

func counts(s report.Summary) string {
	parts := []string{
		text.Count(s.Problems, "problem"), text.Count(s.Warnings, "warning"), fmt.Sprintf("%d unknown", s.Unknown),
		text.Count(s.Notes, "note"), fmt.Sprintf("%d good", s.OK),
	}
	if s.Ignored > 0 {
		parts = append(parts, fmt.Sprintf("%d ignored", s.Ignored))
	}
	return strings.Join(parts, ", ")
}

func newGroup(g report.Group, typed hint.Typed) group {
	out := group{Group: g, Title: capital(g.Kind.Title), Domains: text.List(g.Domains(), maxNamed), First: g.Findings[0]}
	seen := map[string]bool{}
	for _, f := range g.Findings {
		s := f.Text()
		if f.Domain != "" && len(g.Domains()) > 1 && !strings.Contains(s, f.Domain) {
			s = strings.TrimSuffix(f.Domain+": "+s, ": ")
		}
		switch {
		case s == "" || seen[s]:
		case len(out.Seen) == maxSeen:
			out.More++
		default:
			out.Seen = append(out.Seen, s)
		}
		seen[s] = true
	}
	kinds := map[string]bool{}
	for _, f := range g.Consequences {
		if !kinds[f.ID] && len(out.So) < maxNamed {
			out.So = append(out.So, strings.TrimSuffix(f.ID+": "+f.Seen, ": "))
		}
		kinds[f.ID] = true
	}
	for _, m := range g.Remedies()[:min(len(g.Remedies()), maxRemedies)] {
		out.Remedy = append(out.Remedy, remedies(m, typed)...)
	}
	return out
}

// remedies are commands and records, which are copied as they stand, and prose.
func remedies(lines finding.Remedy, typed hint.Typed) []remedy {
	var list []remedy
	for _, l := range lines {
		what := typed.Lines([]string{l.Text})[0]
		last := len(list) - 1
		switch {
		case l.Kind == finding.LineText:
			list = append(list, remedy{Prose: capital(what)})
		case last >= 0 && list[last].Code != "":
			list[last].Code += "\n" + what
		default:
			list = append(list, remedy{Code: what})
		}
	}
	return list
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// rights are the kinds of which all is right, by area.
func rights(r report.Report) []good {
	wrong := map[string]bool{}
	for _, f := range r.Findings {
		wrong[f.ID] = wrong[f.ID] || f.Severity != finding.OK && f.Severity != finding.Note
	}
	var list []good
	for _, k := range finding.Catalogue() {
		if r.Passed[k.ID] == 0 || wrong[k.ID] {
			continue
		}
		area := k.Group()
		i := slices.IndexFunc(list, func(g good) bool { return g.Area == area })
		if i < 0 {
			i, list = len(list), append(list, good{Area: area})
		}
		list[i].Titles = append(list[i].Titles, capital(k.Title))
	}
	return list
}
