package dnscheck

import (
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/text"
)

// Text returns the result for a person.
func (r Result) Text() string {
	var b strings.Builder
	problems := r.Problems()
	if len(problems) == 0 {
		fmt.Fprintf(&b, "%s: %s\n", r.Domain, r.Summary())
	} else {
		fmt.Fprintf(&b, "%s: %s\n", r.Domain, text.Count(len(problems), "problem"))
	}
	hanging := func(s string, width, by int) string { return text.Indent(text.Wrap(s, width), by)[by:] }
	for _, p := range problems {
		if where := p.Where(len(r.Servers)); where != "" {
			fmt.Fprintf(&b, "  %s\n", hanging(where+":", 76, 4))
		}
		fmt.Fprintf(&b, "%s\n", text.Indent(text.Wrap(p.Text, 74), 4))
		if p.Remedy != "" {
			fmt.Fprintf(&b, "    -> %s\n", hanging(p.Remedy, 70, 7))
		}
	}
	for _, s := range r.Servers {
		if s.NotAsked() {
			fmt.Fprintf(&b, "  %s\n", hanging(s.Summary(), 74, 4))
		}
	}
	return b.String()
}

// ProgressPrinter prints the progress of a Watch, each answer once.
type ProgressPrinter struct {
	Print  func(lines string)
	Status func(line string) // replaces the line at the bottom of a terminal

	printed map[string]string // the last line about each name server
}

// maxDetailed is the number of domains up to which each server has a line.
const maxDetailed = 20

// Update prints a line for each server whose answer changed and, on a terminal,
// counts down to the next check.
func (p *ProgressPrinter) Update(now Progress) {
	if now.Next > 0 {
		next := int(now.Next.Round(time.Second) / time.Second)
		p.Status(fmt.Sprintf("%s; next look in %d s, %v left", progressOf(now.Results), next, now.Remaining.Round(time.Second)))
		return
	}
	p.Status("")
	if len(now.Results) > maxDetailed {
		p.print("", progressOf(now.Results))
		return
	}
	for _, r := range now.Results {
		for _, record := range r.NoServer {
			p.print(r.Domain+record.Record.Name, r.Domain+": "+record.Text)
		}
		for _, s := range r.Servers {
			p.print(r.Domain+s.Zone+s.String(), r.Domain+": "+s.Summary())
		}
	}
}

// progressOf says in a few words how far the check is.
func progressOf(results []Result) string {
	if len(results) != 1 {
		return fmt.Sprintf("%d of %s", Complete(results), text.Count(len(results), "domain"))
	}
	good := 0
	for _, s := range results[0].Servers {
		if s.OK() {
			good++
		}
	}
	return fmt.Sprintf("%d of %s", good, text.Count(len(results[0].Servers), "name server"))
}

// print prints a line about a server unless it is what was printed last.
func (p *ProgressPrinter) print(about, line string) {
	if p.printed == nil {
		p.printed = map[string]string{}
	}
	if p.printed[about] != line {
		p.printed[about] = line
		p.Print(strings.ReplaceAll(text.Wrap(line, 78), "\n", "\n  "))
	}
}
