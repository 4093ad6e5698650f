package rotation

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/parallel"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/text"
	"mailsetup/steps/dns"
)

// watcher checks published records, and restores lost ones in zones of this machine.
type watcher struct {
	*run
	halted error // why nothing more was put back
}

// watch checks the records of domains that are due, restores lost ones where that is
// allowed, and reports problems. It returns the domains; the error says that something
// could not be found out.
func (r *watcher) watch(ctx context.Context) (looked []string, err error) {
	if !r.scheduled() || len(r.Spec.Domains) == 0 {
		return nil, nil
	}
	schedule, unreadable, err := r.Store.LoadSchedule()
	if err != nil {
		return nil, err
	}
	if unreadable != nil { // then all of them have their turn again
		r.UI.Logf("%s", message(unreadable))
	}
	names := make([]string, len(r.Spec.Domains))
	for i, d := range r.Spec.Domains {
		names[i] = d.Name
	}
	looked = schedule.Due(names, r.now)
	results, err := recordwatch.Tick{
		Check: r.DNS().Check, Limits: recordwatch.TickLimits, Now: r.now,
		ExpectedRecords: r.Provisioner.ExpectedRecords, Restore: r.restore, LostFiles: r.lostFragments, Save: r.Store.SaveChecks,
	}.Run(ctx, r.watchedDomains(looked))
	if stop := cmp.Or(ctx.Err(), r.halted); stop != nil {
		return looked, stop
	}
	var wrong []string
	for name, res := range results {
		if len(res.Watch.Problems) > 0 {
			wrong = append(wrong, name)
		}
	}
	schedule = schedule.Next(names, slices.Collect(maps.Keys(results)), wrong, r.now)
	err = errors.Join(err, r.Store.SaveSchedule(schedule))
	if r.reportRecords(ctx, results) {
		r.report.Attention = true
	}
	return looked, err
}

// watchedDomains returns the expected records of domains.
func (r *watcher) watchedDomains(names []string) []recordwatch.Domain {
	list := make([]recordwatch.Domain, len(names))
	_ = parallel.Do(len(names), runtime.GOMAXPROCS(0), func(i int) error {
		d, _ := findDomain(r.Spec, names[i])
		keys := r.ledger[d.Name]
		all, signing := dns.WatchedRecords(r.Spec, d, keys)
		list[i] = recordwatch.Domain{
			Expected: dnscheck.ForDomain(d.Name, all, keys, !r.publishedByHand(d)),
			Last:     r.Store.LastCheck(d.Name),
		}
		for _, rr := range signing {
			list[i].Signing = append(list[i].Signing, recordwatch.ID(rr))
		}
		return nil
	})
	return list
}

// reportRecords reports the problems of each domain as often as is due, and reports
// whether there is any problem or restored record.
func (r *watcher) reportRecords(ctx context.Context, results map[string]recordwatch.Result) (found bool) {
	var lines, texts []string
	restored, gone := 0, 0
	for _, domain := range sortedKeys(results) {
		res := results[domain]
		back, left := recordwatch.Problems(domain, res.Restored, r.now), recordwatch.Problems(domain, res.Watch.Problems, r.now)
		for _, p := range back {
			if _, still := res.Watch.Problems[p.About]; !still {
				p.Restored = true
				r.report.Records = append(r.report.Records, p)
			}
		}
		r.report.Records = append(r.report.Records, left...)
		found = found || res.Notify || slices.ContainsFunc(left, func(p recordwatch.Problem) bool { return p.Gone })
		if !res.Notify {
			continue
		}
		d, _ := findDomain(r.Spec, domain)
		said := recordwatch.Lines(r.Spec, d, res, r.now)
		lines = append(lines, said...)
		if texts = append(texts, foldLines(said)); len(left) > 0 {
			gone++
		} else {
			restored++
		}
	}
	if len(lines) > 0 {
		r.Alert(lines)
		m := recordsMail(gone, restored, texts)
		m.send(ctx, r.run)
		m.sendToRoot(ctx, r.run)
	}
	return found
}

func foldLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(text.Wrap(text.Printable(l), 76) + "\n")
	}
	return b.String()
}
