package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps"
)

// errProblemsFound is not an error of this program's: the exit code says that
// what was asked about is not as it should be.
var errProblemsFound = errors.New("problems found")

// waitForDNS waits until every name server has what it should, or until the
// timeout is over, and prints what is wrong then.
func (s *session) waitForDNS(ctx context.Context, in steps.Input, domains []spec.Domain, timeout time.Duration) error {
	want := make([]dnscheck.Expected, 0, len(domains))
	for _, d := range domains {
		want = append(want, expected(in, d))
	}
	p := &dnsProgress{c: s.c, printed: map[string]string{}}
	results, err := dnscheck.Watch(ctx, s.Resolver, want, timeout, p.update)
	p.line("")
	if err != nil {
		return err
	}
	s.rememberChecks(results, in.Keys)
	if err := s.printResults(results); err != nil {
		return err
	}
	if dnscheck.Complete(results) < len(results) {
		return errProblemsFound
	}
	return nil
}

// expected returns what the name servers of a domain should have: its records, and
// what its names would lose of wildcards otherwise.
func expected(in steps.Input, d spec.Domain) dnscheck.Expected {
	e := dnscheck.ForDomain(d.Name, steps.Served(in, d), in.Keys[d.Name], in.Spec.DNSOf(d) != spec.DNSManual)
	e.Copies = steps.Copies(in, d)
	var lost []state.Record
	for r := range e.Copies {
		if !slices.Contains(e.Records, r) {
			lost = append(lost, r)
		}
	}
	slices.SortFunc(lost, func(a, b state.Record) int {
		return strings.Compare(a.Name+" "+a.Type+" "+a.Value, b.Name+" "+b.Type+" "+b.Value)
	})
	e.Records = append(e.Records, lost...)
	return e
}

// rememberChecks keeps what was seen for `mailsetup list`. It is an observation: a
// failure to write it down takes nothing from the answer.
func (s *session) rememberChecks(results []dnscheck.Result, keys keyring.Ledger) {
	if os.Geteuid() != 0 || !s.store().Exists() {
		return
	}
	checked := make(map[string]keyring.Checked, len(results))
	for _, r := range results {
		checked[r.Domain] = r.Checked(keys[r.Domain], time.Now().UTC())
	}
	if err := s.store().SaveChecks(checked, nil); err != nil {
		s.c.say("what was seen is not remembered: %v", err)
	}
}

// printResults prints what the last check found.
func (s *session) printResults(results []dnscheck.Result) error {
	if s.o.json {
		reports := make([]dnscheck.DomainReport, 0, len(results))
		for _, r := range results {
			reports = append(reports, r.Report())
		}
		return s.printJSON(reports)
	}
	for _, r := range results {
		fmt.Fprint(s.c.out, resultText(r))
	}
	return nil
}

// resultText is what a person reads about one domain.
func resultText(r dnscheck.Result) string {
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

// dnsProgress prints how far a check of name servers is.
type dnsProgress struct {
	c       console
	printed map[string]string // the last line about each name server
}

// maxDetailed is the number of domains up to which each server has a line.
const maxDetailed = 20

// update prints a line for each server whose answer changed and, on a terminal,
// counts down to the next check.
func (p *dnsProgress) update(now dnscheck.Progress) {
	if now.Next > 0 {
		next := int(now.Next.Round(time.Second) / time.Second)
		p.line(fmt.Sprintf("%s; next look in %d s, %v left", progressOf(now.Results), next, now.Left.Round(time.Second)))
		return
	}
	p.line("")
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
func progressOf(results []dnscheck.Result) string {
	if len(results) != 1 {
		return fmt.Sprintf("%d of %s", dnscheck.Complete(results), text.Count(len(results), "domain"))
	}
	good := 0
	for _, s := range results[0].Servers {
		if s.OK() {
			good++
		}
	}
	return fmt.Sprintf("%d of %s", good, text.Count(len(results[0].Servers), "name server"))
}

// line writes the line at the bottom of a terminal anew.
func (p *dnsProgress) line(s string) {
	if p.c.live {
		fmt.Fprintf(p.c.err, "\r%s\x1b[K", s)
	}
}

// print prints a line about a server unless it is what was printed last.
func (p *dnsProgress) print(about, line string) {
	if p.printed[about] != line {
		p.printed[about] = line
		p.c.say("%s", strings.ReplaceAll(text.Wrap(line, 78), "\n", "\n  "))
	}
}
