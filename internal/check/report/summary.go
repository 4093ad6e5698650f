package report

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// ignored names what the administrator does not want to be told of.
func (p *printer) ignored(r Report) {
	list := slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool { return f.Ignored == "" })
	if len(list) == 0 {
		return
	}
	p.line("")
	p.line(p.paint(bold, "Ignored, as you said"))
	for _, f := range list[:min(len(list), 2*maxNamed)] {
		about := strings.Join(filled(string(f.Severity), f.Domain, f.Subject), " ")
		p.hang("  "+f.ID, 20, about+": "+f.Ignored)
	}
	if more := len(list) - 2*maxNamed; more > 0 {
		p.line(fmt.Sprintf("  and %d more", more))
	}
}

// good names what is right, in a line for each group.
func (p *printer) good(r Report) {
	wrong := map[string]bool{}
	for _, f := range r.Findings {
		wrong[f.ID] = wrong[f.ID] || f.Severity != finding.OK && f.Severity != finding.Note
	}
	var order []string
	names := map[string][]string{}
	for _, k := range finding.Catalogue() {
		if r.Passed[k.ID] == 0 || wrong[k.ID] {
			continue
		}
		g := k.Group()
		if names[g] == nil {
			order = append(order, g)
		}
		names[g] = append(names[g], strings.TrimPrefix(k.ID, g+"."))
	}
	if len(order) == 0 {
		return
	}
	p.line("")
	p.line(p.paint(green, "Good"))
	for _, g := range order {
		const at = 14
		shown := len(names[g])
		for shown > 1 && len(text.List(names[g], shown)) > p.width-at {
			shown--
		}
		p.line("  " + g + strings.Repeat(" ", at-2-len(g)) + text.List(names[g], shown))
	}
}

// summary prints the numbers.
func (p *printer) summary(r Report) {
	s := r.Summary
	count := func(style style, n int, what string) string {
		if n == 0 {
			style = plain
		}
		return p.paint(style, what)
	}
	p.line("")
	parts := []string{
		count(red, s.Problems, text.Count(s.Problems, "problem")), count(yellow, s.Warnings, text.Count(s.Warnings, "warning")),
		count(cyan, s.Unknown, fmt.Sprintf("%d unknown", s.Unknown)), text.Count(s.Notes, "note"), count(green, s.OK, fmt.Sprintf("%d ok", s.OK)),
	}
	if s.Ignored > 0 {
		parts = append(parts, fmt.Sprintf("%d ignored", s.Ignored))
	}
	p.line(strings.Join(parts, ", "))
	if s.Fixable > 0 {
		p.line(p.Typed.Lines([]string{fmt.Sprintf("%d of these can be mended: mailsetup check --fix", s.Fixable)})[0])
	}
	if left := LeftOut(r.Skipped); left != "" {
		p.hang("", 0, left)
	}
	if r.Score != nil {
		p.score(*r.Score)
	}
}

// LeftOut says how many checks were left out, and why.
func LeftOut(list []Skipped) string {
	n := map[string]int{}
	for _, s := range list {
		n[s.Reason]++
	}
	var why []string
	for _, reason := range []string{notOnly, skipAsked, isOffline, needsNet, needsRoot, needsSetup, notHere, notChecked} {
		if n[reason] > 0 {
			why = append(why, fmt.Sprintf("%s: %d", reason, n[reason]))
		}
	}
	if len(why) == 0 {
		return ""
	}
	return fmt.Sprintf("%s left out (%s)", text.Count(len(list), "check"), strings.Join(why, ", "))
}

// score prints the points, and what takes the others.
func (p *printer) score(s Score) {
	if s.Of == 0 {
		return
	}
	line := fmt.Sprintf("Score %s of %s", s.Points, s.Of)
	if len(s.Unrated) > 0 {
		line += "; not rated: " + strings.Join(s.Unrated, ", ")
	}
	p.hang("", 0, line)
	for _, l := range s.Lost {
		p.hang("  -"+l.Points.String(), 8, l.Area+": mend "+text.List(l.Mend, maxNamed))
	}
}
