package rotation

import (
	"fmt"
	"slices"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// Report is what a run did and found.
type Report struct {
	Changed bool
	Run     string       // its ID for rollback, which takes all of it back
	Steps   []Step       // taken, or in a dry run those that would be now
	Waiting []WaitingKey // keys that wait for somebody, each once a day
	Failed  []string     // domains that the run went on without
	Notes   []state.Note // what is left to do by hand
	// Records are those that were looked at and are not as they should be, and
	// name servers that do not answer.
	Records []recordwatch.Problem
	// Check is what mailsetup check finds wrong without asking DNS, after a change.
	Check []finding.Finding

	// Plan is that of a dry run in which something would be done, and Quiet that it
	// only records what DNS has.
	Plan  *plan.Plan
	Quiet bool
	// Keys are those of the domains that the run went on with, after a dry run, or
	// where a step was asked for and none was due.
	Keys []KeyStatus
	Now  time.Time // as of which the keys are
	// Reminders are those of the Notes that were not printed with a result.
	Reminders []state.Note
	// Attention: somebody has something to do, or records were gone.
	Attention bool
}

// Planned returns the plan of a dry run, an empty one where nothing is due.
func (r *Report) Planned() plan.Plan {
	if r.Plan == nil {
		return plan.Plan{}
	}
	return *r.Plan
}

// Step is a step of a key.
type Step struct {
	Domain   string
	Selector string // "" for a key that is made
	Action   keyring.Action
	Why      string
}

// Domains are those in which a key took a step.
func (r *Report) Domains() []string {
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Domain)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// add adds the result of a round. One that only recorded what DNS has leaves nothing to
// do.
func (r *Report) add(res provision.Result, quiet bool) {
	r.Changed, r.Run = true, apply.FirstID(res.Report.ID)
	if !quiet {
		r.Notes = append(r.Notes, slices.DeleteFunc(slices.Clone(res.Notes), func(n state.Note) bool { return n.Informational })...)
	}
}

// recordSteps adds the steps taken for domains to the report.
func (r *run) recordSteps(domains []string) {
	for _, domain := range domains {
		for _, m := range r.due[domain] {
			r.report.Steps = append(r.report.Steps, Step{domain, m.Selector, m.Action, m.Why})
		}
	}
}

// describe returns the due steps of domains for people.
func (s keyState) describe(due Transitions, domains []string) []string {
	var lines []string
	for _, domain := range domains {
		for _, m := range due[domain] {
			lines = append(lines, s.describeStep(domain, m))
		}
	}
	return lines
}

func (s keyState) describeStep(domain string, m keyring.Transition) string {
	what := ""
	switch m.Action {
	case keyring.Generate:
		return fmt.Sprintf("%s: a new key, since %s. %s", domain, m.Why, s.describeSuccessor(domain))
	case keyring.ConfirmPublished:
		k := s.key(domain, m.Selector)
		if k.Stage == keyring.Revoked {
			free := s.now.Add(s.situation(domain).Wait(k)).Format("2006-01-02 15:04 MST")
			return fmt.Sprintf("%s: everybody has the empty p= of %s, and its slot is free at %s at the earliest", domain, m.Selector, free)
		}
		k.Stage, what = keyring.Published, "is seen everywhere"
		if w := s.situation(domain).Wait(k); w > 0 {
			what = fmt.Sprintf("is seen everywhere, and signs at %s at the earliest", s.now.Add(w).Format("2006-01-02 15:04 MST"))
		}
		return fmt.Sprintf("%s: %s %s", domain, m.Selector, what)
	case keyring.LostPublished:
		what = "has to wait again"
	case keyring.Activate:
		what = "signs instead of " + activeSelector(s.ledger, domain)
	case keyring.Revoke:
		what = "gets an empty p="
	case keyring.Withdraw:
		what = "goes"
	}
	return fmt.Sprintf("%s: %s %s: %s", domain, m.Selector, what, m.Why)
}

// key returns the key of a selector.
func (s keyState) key(domain, selector string) keyring.Key {
	if i := keyring.Index(s.ledger[domain], selector); i >= 0 {
		return s.ledger[domain][i]
	}
	return keyring.Key{Selector: selector}
}

// describeSuccessor says what happens to a new key, and to the one before it.
func (s keyState) describeSuccessor(domain string) string {
	sit := s.forecast(domain, "")
	active, _ := s.ledger.Signing(domain)
	if active.Compromised {
		return "It signs as soon as every name server has its record."
	}
	end, active := "leaves DNS", active.At(keyring.Draining, s.now)
	if sit.Policy.Revoke > 0 || active.SlotZone != "" {
		end = "is revoked"
	}
	return fmt.Sprintf("It signs when every name server has had its record for %s, or longer if caches may keep that there was none; %s %s %s later.",
		spec.Span(sit.Wait(keyring.Key{Stage: keyring.Published, SlotZone: sit.Slots.Zone})), active.Selector, end, spec.Span(sit.Wait(active)))
}

// WaitingKey is a key that does not sign yet, with the reason.
type WaitingKey struct {
	Domain   string
	Selector string
	Why      string
	// Name, Type and Value are the record for whoever publishes the domain's records by
	// hand: the TXT of the key, or the CNAME of its slot.
	Name  string
	Type  string
	Value string

	active string // the selector that signs until then
	ttl    uint32
}

// ByHand reports whether somebody has to publish the record.
func (w WaitingKey) ByHand() bool { return w.Name != "" }

// Record returns the record to be published.
func (w WaitingKey) Record() state.Record {
	return state.Record{Name: w.Name + ".", Type: w.Type, TTL: w.ttl, Value: w.Value}
}

// Lines returns the record for a web form: its name is relative to the domain.
func (w WaitingKey) Lines() string {
	return zonefile.Lines([]state.Record{w.Record()}, w.Domain+".")
}

// String returns what the key waits for, "" if nobody looked yet.
func (w WaitingKey) String() string {
	if w.Why == "" {
		return ""
	}
	return fmt.Sprintf("%s: %s does not sign yet, %s goes on: %s", w.Domain, w.Selector, w.active, w.Why)
}

// waitingKey returns a waiting key, with its record if that has to be published by
// hand.
func (s keyState) waitingKey(d spec.Domain, k keyring.Key, why string, alias bool) WaitingKey {
	w := WaitingKey{Domain: d.Name, Selector: k.Selector, Why: why, active: activeSelector(s.ledger, d.Name)}
	switch {
	case k.SlotZone != "" && alias: // whose CNAME is missing, or leads elsewhere
		w.Name, w.Type, w.Value, w.ttl = dnsname.Key(k.Selector, d.Name), "CNAME", k.RecordName(d.Name)+".", d.TTL
	case k.SlotZone == "" && s.publishedByHand(d):
		record := k.Record(d.Name, d.TTL)
		w.Name, w.Type, w.Value, w.ttl = dnsname.TrimDot(record.Name), record.Type, record.Value, record.TTL
	}
	return w
}

// KeyStatus is a key as `mailsetup status` shows it.
type KeyStatus struct {
	Domain   string
	Selector string
	Bits     int
	Stage    keyring.Stage
	Since    time.Time
	WaitsFor string    // for what, as --help has it
	Next     time.Time // when the next step is due at the earliest
	Gone     string    // what the name servers answered when none of them had the record
	Unusable string    // why OpenDKIM cannot sign with the key
}

// State returns the stage of the key, NotInDNS or UnusableFile.
func (k KeyStatus) State() string {
	if k.Unusable != "" {
		return dkimkeys.UnusableFile
	}
	if k.Gone != "" {
		return recordwatch.NotInDNS
	}
	return string(k.Stage)
}
