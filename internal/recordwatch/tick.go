package recordwatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// Tick checks the records of some domains once.
type Tick struct {
	Check  Checker
	Limits Limits
	Now    time.Time
	// ExpectedRecords returns, by domain, the records that name servers should have
	// beside those of the administrator's. It is called for few domains, since it loads
	// zones and evaluates SPF.
	ExpectedRecords func(ctx context.Context, domains []string) (map[string][]state.Record, error)
	// Restore puts lost records of domains back into their zones and returns the error
	// of each attempt, nil for success. Domains that are not in the result were not
	// tried.
	Restore func(ctx context.Context, domains []string) map[string]error
	// LostFiles returns Domain.LostFiles of a domain; nil for none.
	LostFiles func(domain string) []state.Path
	// Save stores the results. It is called before Restore, so that a run that crashes
	// does not restore again every hour.
	Save func(map[string]Result) error
}

// Result is the outcome of one tick for a domain.
type Result struct {
	Check dnscheck.Result
	Watch keyring.Watch
	// Notify: a person has to be notified of the problems.
	Notify bool
	// Restored are the problems before the records were restored, nil if none were;
	// Failed is the error of the attempt.
	Restored map[string]keyring.Problem
	Failed   error
}

// Reportable returns the problems that have to be reported, by what they are about.
func (r Result) Reportable(now time.Time) map[string]keyring.Problem {
	out := map[string]keyring.Problem{}
	for id, p := range r.Watch.Problems {
		if p.Reportable(now) {
			out[id] = p
		}
	}
	return out
}

// Run checks the domains, restores lost records where that is allowed, and decides who
// is notified. Domains for which there was no time have no result.
func (t Tick) Run(ctx context.Context, domains []Domain) (map[string]Result, error) {
	known := map[string]Domain{}
	for _, d := range domains {
		known[d.Domain] = d
	}
	results := t.check(ctx, domains)
	unjudged := t.compareAdminRecords(ctx, known, results)
	var lost []string
	for name, r := range results {
		if t.Restore != nil && restorable(r.Watch, t.Now) {
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	if len(lost) > 0 {
		t.restore(ctx, known, results, lost)
	}
	for name, r := range results {
		r.Notify = notify(&r.Watch, t.Now) || r.Restored != nil
		results[name] = r
	}
	return results, errors.Join(unjudged, t.Save(results))
}

// check asks the name servers about domains and evaluates the answers.
func (t Tick) check(ctx context.Context, domains []Domain) map[string]Result {
	wanted, known := []dnscheck.Expected{}, map[string]Domain{}
	for _, d := range domains {
		if t.LostFiles != nil {
			d.LostFiles = t.LostFiles(d.Domain)
		}
		wanted, known[d.Domain] = append(wanted, d.expected()), d
	}
	results := map[string]Result{}
	for _, v := range checkAll(ctx, t.Check, wanted, t.Limits) {
		results[v.Domain] = Result{Check: v, Watch: known[v.Domain].evaluate(v, t.Now)}
	}
	return results
}

// compareAdminRecords checks again, now with ExpectedRecords, the domains that have an
// SPF or DMARC record instead of ours that may be right. It takes no more than
// MinPerTick, since that needs zones and SPF evaluation; the others keep their problems
// until a later tick.
func (t Tick) compareAdminRecords(ctx context.Context, known map[string]Domain, results map[string]Result) error {
	var names []string
	for name, r := range results {
		d := known[name]
		if slices.ContainsFunc(d.expected().Records, func(x state.Record) bool { return d.maybeAdminRecord(x, answersFor(r.Check, x)) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || t.ExpectedRecords == nil {
		return nil
	}
	slices.Sort(names)
	names = names[:min(len(names), MinPerTick)]
	lists, err := t.ExpectedRecords(ctx, names)
	if err != nil {
		return err
	}
	var again []Domain
	for _, name := range names {
		if list, ok := lists[name]; ok {
			known[name] = known[name].expecting(list)
			again = append(again, known[name])
		}
	}
	for name, r := range t.check(ctx, again) {
		results[name] = r
	}
	return nil
}

// expecting returns the domain with the expected values of records that the
// administrator replaced.
func (d Domain) expecting(list []state.Record) Domain {
	own := map[string]string{}
	for _, r := range d.Records {
		id := ID(r)
		i := slices.IndexFunc(list, func(x state.Record) bool { return ID(x) == id })
		switch {
		case i < 0:
			own[id] = ""
		case list[i].Value != r.Value:
			own[id] = list[i].Value
		}
	}
	d.Last.Watch.AdminRecords, d.compared = own, true
	return d
}

// restore restores the records of domains, checks them again, and sets Restored or
// Failed in their results.
func (t Tick) restore(ctx context.Context, known map[string]Domain, results map[string]Result, lost []string) {
	before := map[string]Result{}
	for _, name := range lost {
		r := results[name]
		r.Watch = markRestored(r.Watch, t.Now)
		results[name], before[name] = r, r
	}
	if err := t.Save(results); err != nil {
		for _, name := range lost {
			r := results[name]
			r.Failed = err
			results[name] = r
		}
		return
	}
	var again []Domain
	tried := t.Restore(ctx, lost)
	for _, name := range lost {
		err, done := tried[name]
		r := results[name]
		if !done || err != nil {
			r.Failed = err
			if !done { // a later tick may try
				r.Watch.Restored = known[name].Last.Watch.Restored
			}
			results[name] = r
			continue
		}
		d := known[name]
		d.Last.Watch = r.Watch
		again = append(again, d)
		r.Restored = r.Watch.Problems
		results[name] = r
	}
	for name, r := range t.check(ctx, again) {
		r.Restored = before[name].Watch.Problems
		results[name] = r
	}
}

// LastChecks returns the checks and the watches to store, both by domain.
func LastChecks(results map[string]Result, keys keyring.Ledger, now time.Time) (map[string]keyring.LastCheck, map[string]keyring.Watch) {
	checked, watches := make(map[string]keyring.LastCheck, len(results)), make(map[string]keyring.Watch, len(results))
	for name, r := range results {
		checked[name] = r.Check.LastCheck(keys[name], now)
		watches[name] = r.Watch
	}
	return checked, watches
}
