package operation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/dns"
)

// secondLook bounds the questions to name servers about records that changed.
var secondLook = recordwatch.Limits{AtOnce: 16, PerDomain: 15 * time.Second, Total: time.Minute}

// askedAtOnce is how many domains the resolver is asked about at a time.
const askedAtOnce = 64

// Changed checks that records which all name servers had once are still as they were
// published. A resolver is asked first, and the name servers themselves about what that
// does not have: one odd answer raises no alarm.
func Changed(ctx context.Context, c *dnsclient.Client, s subject.Server, domains []subject.Domain, last func(domain string) keyring.LastCheck) finding.Result {
	if c == nil {
		return finding.Result{}
	}
	watched := make([]recordwatch.Domain, len(domains))
	suspect := make([]bool, len(domains))
	_ = parallel.Do(len(domains), askedAtOnce, func(i int) error {
		if d := domains[i]; d.Wanted != nil {
			watched[i] = watch(s, d, last(d.Name))
			suspect[i] = ctx.Err() == nil && differs(ctx, c, watched[i])
		}
		return nil
	})
	var again []recordwatch.Domain
	for i, w := range watched {
		if suspect[i] {
			again = append(again, w)
		}
	}
	check := func(ctx context.Context, want dnscheck.Expected) dnscheck.Result {
		return dnscheck.Check(ctx, c, want, dnscheck.Result{})
	}
	results, _ := recordwatch.Tick{
		Check: check, Limits: secondLook, Now: s.Now, Save: func(map[string]recordwatch.Result) error { return nil },
	}.Run(ctx, again)
	var r finding.Result
	for i, w := range watched {
		if len(w.Last.Watch.SeenComplete) > 0 {
			r.Findings = append(r.Findings, judge(s, w, suspect[i], results)...)
		}
	}
	return r
}

// watch returns what is expected of the name servers of a domain.
func watch(s subject.Server, d subject.Domain, last keyring.LastCheck) recordwatch.Domain {
	all, signing := dns.WatchedRecords(s.Spec, *d.Wanted, d.Keys)
	w := recordwatch.Domain{Expected: dnscheck.ForDomain(d.Name, all, d.Keys, !s.Spec.ByHand(*d.Wanted)), Last: last}
	for _, rr := range signing {
		w.Signing = append(w.Signing, recordwatch.ID(rr))
	}
	return w
}

// differs reports whether the resolver lacks a record that all name servers had.
func differs(ctx context.Context, c *dnsclient.Client, w recordwatch.Domain) bool {
	stood := map[string]bool{}
	for _, id := range w.Last.Watch.SeenComplete {
		stood[id] = true
	}
	for _, r := range w.Records {
		id := recordwatch.ID(r)
		if !stood[id] {
			continue
		}
		if own, replaced := w.Last.Watch.AdminRecords[id]; replaced && own == "" {
			continue
		} else if replaced {
			r.Value = own
		}
		seen, status, err := c.Lookup(ctx, r.Name, r.Type)
		if err == nil && (status != dnsclient.Found || !slices.ContainsFunc(seen, func(x state.Record) bool { return sameValue(x, r) })) {
			return true
		}
	}
	return false
}

// sameValue compares the values of records, whichever name they stand at: an alias may
// lead there.
func sameValue(a, b state.Record) bool {
	a.Name, a.TTL = b.Name, b.TTL
	return dnsclient.Same(a, b)
}

// judge returns what became of the records of a domain.
func judge(s subject.Server, w recordwatch.Domain, suspect bool, results map[string]recordwatch.Result) []finding.Finding {
	f := finding.Finding{ID: "ops.changed", Domain: w.Domain, Severity: finding.OK, Seen: text.Count(len(w.Last.Watch.SeenComplete), "record") + " as published"}
	if !suspect {
		return []finding.Finding{f}
	}
	res, looked := results[w.Domain]
	if !looked {
		f.Severity, f.Seen = finding.Unknown, "there was no time to ask all name servers"
		return []finding.Finding{f}
	}
	var list []finding.Finding
	for _, id := range slices.Sorted(maps.Keys(res.Watch.Problems)) {
		if !slices.Contains(w.Last.Watch.SeenComplete, id) {
			continue // a name server, which dns.delegation looks at, or a record that is new
		}
		list = append(list, changed(s, w, id, res.Watch.Problems[id]))
	}
	if len(list) > 0 {
		return list
	}
	answered := false
	for _, server := range res.Check.Servers {
		answered = answered || server.ServerProblem.OK()
		for _, is := range server.Records {
			if id := recordwatch.ID(is.Record); !is.OK() && slices.Contains(w.Last.Watch.SeenComplete, id) {
				// A record in the place of ours may be right: SPF and DMARC are judged
				// by what they mean.
				f.Severity, f.Subject, f.Seen = finding.Note, id, "another record than was published: "+shorten(is.Text)
			}
		}
	}
	if !answered {
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, "no name server answers", "dns.delegation"
	}
	return []finding.Finding{f}
}

// changed returns the finding about a record that is not what was published.
func changed(s subject.Server, w recordwatch.Domain, id string, p keyring.Problem) finding.Finding {
	f := finding.Finding{
		ID: "ops.changed", Domain: w.Domain, Subject: id, Severity: finding.Warning, Seen: shorten(p.Text),
		Expected: "as all name servers had it before", CausedBy: about(id), Remedy: finding.Text("what to publish is printed by:").Command("mailsetup dns %s", w.Domain),
	}
	if p.Gone || slices.Contains(w.Signing, id) {
		f.Severity = finding.Problem
	}
	if p.Since.Before(s.Now) {
		f.Seen = fmt.Sprintf("for %s: %s", text.Age(p.Since, s.Now), f.Seen)
	}
	if w.PublishedByUs && p.Gone {
		f.Remedy, f.Fixable = finding.Command("mailsetup init --yes"), true
	}
	return f
}

// about returns the ID of the check that says what a record is for.
func about(id string) string {
	name, kind, _ := strings.Cut(id, " ")
	switch {
	case strings.Contains(name, "._domainkey."):
		return "dkim.record"
	case strings.HasPrefix(name, "_dmarc."):
		return "dmarc.exists"
	case strings.HasPrefix(kind, "A"):
		return "host.forward"
	case kind == "MX":
		return "mx.exists"
	}
	return "spf.pass"
}
