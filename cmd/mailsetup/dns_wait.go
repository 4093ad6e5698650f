package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// errProblemsFound is not an error of this program's: the exit code says that
// what was asked about is not as it should be.
var errProblemsFound = errors.New("problems found")

// waitForDNS waits until every name server has what it should, or until the
// timeout is over, and prints what is wrong then.
func (s *session) waitForDNS(ctx context.Context, in step.Input, domains []spec.Domain, timeout time.Duration) error {
	want := make([]dnscheck.Expected, 0, len(domains))
	for _, d := range domains {
		records, copies := dns.ExpectedRecords(in, d)
		e := dnscheck.ForDomain(d.Name, records, in.Ledger[d.Name], in.Spec.DNSOf(d) != spec.DNSManual)
		e.Copies = copies
		want = append(want, e)
	}
	p := dnscheck.ProgressPrinter{Print: func(lines string) { s.c.say("%s", lines) }, Status: s.c.rewrite}
	results, err := dnscheck.Watch(ctx, s.Resolver, want, timeout, p.Update)
	s.c.rewrite("")
	if err != nil {
		return err
	}
	s.rememberChecks(results, in.Ledger)
	if err := s.printResults(results); err != nil {
		return err
	}
	if dnscheck.Complete(results) < len(results) {
		return errProblemsFound
	}
	return nil
}

// rememberChecks keeps what was seen for `mailsetup list`. It is an observation: a
// failure to write it down takes nothing from the answer.
func (s *session) rememberChecks(results []dnscheck.Result, keys keyring.Ledger) {
	if os.Geteuid() != 0 || !s.store().Exists() {
		return
	}
	checked := make(map[string]keyring.LastCheck, len(results))
	for _, r := range results {
		checked[r.Domain] = r.LastCheck(keys[r.Domain], time.Now().UTC())
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
		fmt.Fprint(s.c.out, r.Text())
	}
	return nil
}
