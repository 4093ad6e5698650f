package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/schedule"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/steps"
)

// Status is the state of keys without DNS queries.
type Status struct {
	Keys    []KeyStatus
	Domains []DomainStatus // of which the last look found problems
	// Problems are keys that OpenDKIM cannot sign with, and settings that cannot be read.
	Problems []state.Note
	Notes    []state.Note // lifetimes of keys that are odd
	Now      time.Time    // as of which this is
}

// DomainStatus is what the last check found about the records of a domain.
type DomainStatus struct {
	Problems []recordwatch.Problem
	Hints    []string
}

// Lines returns the problems as people read them, each once, and the hints.
func (d DomainStatus) Lines() []string {
	found := func(p recordwatch.Problem) string {
		return fmt.Sprintf("%s, since %s", p.Found, p.Since.Format("2006-01-02 15:04 MST"))
	}
	var lines []string
	for _, p := range recordwatch.Group(d.Problems, found) {
		lines = append(lines, text.Printable(p.Domain+": "+p.About+": "+found(p)))
	}
	return append(lines, d.Hints...)
}

// Status returns the keys of domains, or of all, with what each waits for and what the
// last checks found.
func (r *Rotator) Status(domains []string) (Status, error) {
	t, err := r.open(Options{Domains: domains, DryRun: true})
	if err != nil {
		return Status{}, err
	}
	if err := t.loadElapsed(); err != nil {
		return Status{}, err
	}
	s := Status{Now: t.now, Keys: t.statuses(), Notes: steps.LifetimeWarnings(r.Spec, t.includes)}
	unusable := dkimkeys.Unusable(r.System, t.ledger, t.includes)
	for i, k := range s.Keys {
		if err := unusable[k.Domain]; err != nil && k.Selector == activeSelector(t.ledger, k.Domain) {
			s.Keys[i].Unusable = message(err)
		}
	}
	for _, name := range sortedKeys(unusable) {
		err := unusable[name]
		s.Problems = append(s.Problems, state.Note{Text: name + ": " + message(err), Action: strings.Join(hint.Of(err), "; ")})
	}
	for _, name := range sortedKeys(r.Unreadable) {
		if t.includes(name) {
			s.Problems = append(s.Problems, state.Note{Text: r.Unreadable[name].Error(), Action: strings.Join(hint.Of(r.Unreadable[name]), "; ")})
		}
	}
	if p := r.Spec.Host.Inbound; p.On() && len(domains) == 0 {
		s.Notes = append(s.Notes, state.Note{Topic: "inbound", Text: "incoming mail: " + p.Summary(), Action: "mailsetup inbound"})
	}
	lastCheck := t.lastChecks()
	for _, d := range r.Spec.Domains {
		if !t.includes(d.Name) {
			continue
		}
		w := lastCheck(d.Name).Watch
		if problems := recordwatch.Problems(d.Name, w.Problems, t.now); len(problems) > 0 {
			s.Domains = append(s.Domains, DomainStatus{problems, recordwatch.Hints(r.Spec, d, recordwatch.Result{Watch: w}, problems)})
		}
	}
	return s, nil
}

// ScheduleProblems says what is wrong with what looks every hour whether a key is due. Of a
// directory, and where systemd does not answer, nothing is known.
func (r *Rotator) ScheduleProblems(ctx context.Context) []state.Note {
	if r.Tree {
		return nil
	}
	s, err := schedule.Look(ctx, r.System)
	if err != nil {
		return nil
	}
	return s.Problems()
}

// statuses returns the keys that exist, of the domains that the run is about.
func (r *run) statuses() []KeyStatus {
	list, lastCheck := []KeyStatus{}, r.lastChecks()
	for _, domain := range sortedKeys(r.ledger) {
		if !r.includes(domain) {
			continue
		}
		for _, k := range keyring.Existing(r.ledger[domain]) {
			st := r.status(r.System, domain, k)
			st.Gone = recordwatch.KeyGone(lastCheck(domain), domain, k.Selector)
			list = append(list, st)
		}
	}
	return list
}

// lastChecks returns the last check of a domain: of all domains few were ever checked,
// so that one look at what there is beats ten thousand.
func (r *run) lastChecks() func(domain string) keyring.LastCheck {
	if len(r.domains) > 0 {
		return r.Store.LastCheck
	}
	all, err := r.Store.LastChecks()
	if err != nil {
		return r.Store.LastCheck
	}
	return func(domain string) keyring.LastCheck { return all[domain] }
}

// status returns the stage of a key according to ledger and clock.
func (s keyState) status(files system.Reader, domain string, k keyring.Key) KeyStatus {
	sit := s.forecast(domain, k.Selector)
	st := KeyStatus{Domain: domain, Selector: k.Selector, Bits: k.Bits, Stage: k.Stage, Since: k.Since[k.Stage]}
	left := sit.Remaining(k)
	_, coming := keyring.Successor(sit.Keys)
	in := func(d time.Duration) time.Time { return sit.Now.Add(d) }
	_, known := findDomain(s.spec, domain)
	switch {
	case k.Stage == keyring.Active && !known:
		st.Stage, st.WaitsFor = dkimkeys.StageWithoutFile(files, domain, k), "its file"
	case k.Stage == keyring.Active && coming:
		st.WaitsFor = "successor"
	case k.Stage == keyring.Active && sit.Policy.Every == 0:
		st.WaitsFor = "nothing"
	case k.Stage == keyring.Active:
		st.WaitsFor, st.Next = "age", in(max(0, sit.Policy.Every-sit.Age(k)))
	case k.Stage == keyring.Published:
		st.WaitsFor, st.Next = "caches", in(left)
	case k.Stage == keyring.Draining:
		st.WaitsFor, st.Next = "mail under way", in(left)
	case k.Stage == keyring.Revoked && k.SlotZone != "" && k.Cleared.IsZero():
		st.WaitsFor = "name servers"
	case k.Stage == keyring.Revoked && k.SlotZone != "":
		st.WaitsFor, st.Next = "stale caches", in(left)
	case k.Stage == keyring.Revoked:
		st.WaitsFor, st.Next = "late mail", in(left)
	default:
		st.WaitsFor = "name servers"
	}
	st.Next = st.Next.Truncate(time.Second)
	return st
}

// Table has a row for each key, in columns; "" if there are none. Keys of which DNS has
// no record, or that no longer sign since the file of their domain is gone, come first.
func Table(keys []KeyStatus, now time.Time) string {
	if len(keys) == 0 {
		return ""
	}
	var wrong, right [][]string
	for _, k := range keys {
		row := []string{k.Domain, k.Selector, k.State(), text.Ago(k.Since, now), text.Soon(k.Next, now), k.WaitsFor}
		if k.Gone != "" || k.Unusable != "" || k.Stage == dkimkeys.Unused {
			wrong = append(wrong, row)
		} else {
			right = append(right, row)
		}
	}
	header := [][]string{{"DOMAIN", "SELECTOR", "STATE", "SINCE", "NEXT STEP", "WAITS FOR"}}
	return text.Columns(slices.Concat(header, wrong, right), 80)
}
