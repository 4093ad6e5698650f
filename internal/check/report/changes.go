package report

import (
	"fmt"
	"io"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/text"
)

// Change is a finding that was told differently before.
type Change struct {
	finding.Finding
	// Before is what it was: a severity, "" for new.
	Before finding.Severity
	// Gone: it is right now, or does not apply any more.
	Gone bool
}

// WriteChanges prints what differs from what was told before: nothing, for nothing.
func (r Report) WriteChanges(w io.Writer, o TextOptions) error {
	if len(r.Changes) == 0 {
		return nil
	}
	p := &printer{TextOptions: o, width: min(max(o.Width, 40), textWidth)}
	p.header(r)
	if r.Since.IsZero() {
		p.line("All that is not right, since nothing was told before.")
	} else {
		p.line("What changed since " + r.Since.Format(timeFormat) + ".")
	}
	part := Report{}
	gone := false
	for _, c := range r.Changes {
		if gone = gone || c.Gone; c.Gone {
			continue
		}
		if c.Before != "" && c.Before != finding.OK {
			c.Seen = strings.TrimPrefix(fmt.Sprintf("%s (was: %s)", c.Seen, c.Before), " ")
		}
		part.Findings = append(part.Findings, c.Finding)
	}
	for _, f := range r.Findings {
		if f.CausedBy != "" {
			part.Findings = append(part.Findings, f)
		}
	}
	p.groups(part.Groups())
	if gone {
		p.line("")
		p.line(p.paint(green, "No longer"))
	}
	for _, c := range r.Changes {
		if c.Gone {
			p.hang("  "+c.ID, 20, strings.Join(filled(string(c.Before), c.Domain, c.Subject), " "))
		}
	}
	_, err := io.WriteString(text.Raw(w), p.out.String())
	return err
}

// Count counts changes by what is now.
func Count(changes []Change) Summary {
	var s Summary
	for _, c := range changes {
		switch {
		case c.Gone:
		case c.Severity == finding.Problem:
			s.Problems++
		case c.Severity == finding.Warning:
			s.Warnings++
		case c.Severity == finding.Unknown:
			s.Unknown++
		}
	}
	return s
}
