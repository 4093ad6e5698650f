package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// Explain prints what an ID, a group or all is about: the whole catalogue in a line
// each.
func Explain(w io.Writer, name string, o TextOptions) error {
	kinds, err := finding.Select("--explain", name)
	if err != nil {
		return err
	}
	p := &printer{TextOptions: o, width: min(max(o.Width, 40), textWidth)}
	if name == "all" { // those of a group that are checked, and those that are not
		slices.SortStableFunc(kinds, func(a, b finding.Kind) int { return cmp.Compare(groupAt(a.Group()), groupAt(b.Group())) })
	}
	for i, k := range kinds {
		switch {
		case name != "all":
			p.explain(k)
			if i < len(kinds)-1 {
				p.line("")
			}
			continue
		case i > 0 && k.Group() != kinds[i-1].Group():
			p.line("")
		}
		title := k.Title
		if k.Excluded != "" {
			title += " (not checked)"
		}
		p.hang(k.ID, 24, title)
	}
	if name == "all" {
		p.line("\nmailsetup check --explain ID says more of one, or of a group: --explain spf")
	}
	_, err = io.WriteString(text.Raw(w), p.out.String())
	return err
}

func (p *printer) explain(k finding.Kind) {
	p.line(p.paint(bold, k.ID+": "+k.Title))
	for _, row := range []struct{ label, what string }{
		{"Why", Sentence(k.Why)}, {"Judged", Sentence(finding.Judged(k.ID))}, {"Source", k.Source}, {"Needs", Needs(k)},
	} {
		p.labelled(row.label, row.what)
	}
}

// groupAt is the place of a group in the catalogue.
func groupAt(group string) int {
	return slices.IndexFunc(finding.Catalogue(), func(k finding.Kind) bool { return k.Group() == group })
}

// Needs says what a check cannot do without, "" for nothing.
func Needs(k finding.Kind) string {
	var list []string
	for _, n := range []struct {
		need finding.Need
		what string
	}{
		{finding.Resolver, "DNS"},
		{finding.Outside, "hosts of others (--online)"},
		{finding.Root, "root"},
		{finding.Setup, "a server that mailsetup init has set up"},
	} {
		if k.Needs&n.need != 0 {
			list = append(list, n.what)
		}
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return fmt.Sprintf("%s and %s", strings.Join(slices.Clone(list[:last]), ", "), list[last])
}
