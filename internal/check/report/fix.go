package report

import (
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

// Fix is what mailsetup check --fix does about a report.
type Fix struct {
	Mends   []string // problems and warnings, by ID and domain: "dkim.record lab.example"
	Ignored []string // what is mended with them, although somebody said that it is wanted
	Domains []string // that there is something to mend of
	left    bool     // problems or warnings that are not mended
}

// Fix returns what can be mended.
func (r Report) Fix() Fix {
	fix := Fix{left: r.Summary.Problems+r.Summary.Warnings > r.Summary.Fixable}
	for _, f := range r.Findings {
		name := text.Printable(strings.TrimSpace(f.ID + " " + f.Domain))
		switch {
		case isFixable(f):
			fix.Mends = append(fix.Mends, name)
			if f.Domain != "" {
				fix.Domains = append(fix.Domains, f.Domain)
			}
		case f.Fixable && f.Ignored != "" && f.CausedBy == "" && f.Severity != finding.OK:
			fix.Ignored = append(fix.Ignored, name)
		}
	}
	slices.Sort(fix.Domains)
	fix.Domains = slices.Compact(fix.Domains)
	fix.Mends, fix.Ignored = slices.Compact(fix.Mends), slices.Compact(fix.Ignored)
	return fix
}

// maxMended is how many findings are listed before the question.
const maxMended = 20

// String says what is going to be mended, in lines for a terminal.
func (f Fix) String() string {
	if len(f.Mends) == 0 {
		nothing := "Nothing here that --fix can mend."
		if f.left {
			nothing += " What to do is said with each finding."
		}
		return nothing
	}
	var b strings.Builder
	b.WriteString("mailsetup init mends:\n")
	for _, name := range f.Mends[:min(len(f.Mends), maxMended)] {
		b.WriteString("  " + name + "\n")
	}
	if more := len(f.Mends) - maxMended; more > 0 {
		b.WriteString("  and " + text.Count(more, "more finding") + "\n")
	}
	b.WriteString("This is the whole plan of mailsetup init: it may mend more than that.")
	if len(f.Ignored) > 0 {
		b.WriteString("\n" + text.Wrap("It mends as well what is ignored: "+text.List(f.Ignored, maxMended), 78))
	}
	return b.String()
}

// Check refuses to mend what is ignored where nobody is asked.
func (f Fix) Check(asked bool) error {
	if asked || len(f.Ignored) == 0 {
		return nil
	}
	return hint.NewUsage("mailsetup check --fix, on a terminal, asks; mailsetup init --yes carries it out",
		"what mailsetup init mends is ignored in part: %s", text.List(f.Ignored, 3))
}
