package main

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// turned is what --json prints of a run of rotate-dkim. Its fields stay.
type turned struct {
	Changed bool         `json:"changed"`
	Runs    []string     `json:"runs"`   // for rollback: the ID of the first takes all back
	Steps   []keyStep    `json:"steps"`  // taken, or in a dry run those that would be now
	Waits   []waitingKey `json:"waits"`  // keys that wait for somebody, each once a day
	Failed  []string     `json:"failed"` // domains that the run went on without
	Notes   []state.Note `json:"notes"`  // what is left to do by hand
	// Records are those that were looked at and are not as they should be, and
	// name servers that do not answer.
	Records []recordProblem `json:"records"`

	keys []keyStatus // as they are, for a dry run
}

type keyStep struct {
	Domain   string      `json:"domain"`
	Selector string      `json:"selector,omitempty"` // "" for a key that is made
	Act      keyring.Act `json:"act"`
	Why      string      `json:"why"`
}

// waitingKey is a key that does not sign yet, and why.
type waitingKey struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Why      string `json:"why,omitempty"`
	// Name and Value are the TXT record for whoever publishes the domain's
	// records by hand.
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

func newTurned() *turned {
	return &turned{Runs: []string{}, Steps: []keyStep{}, Waits: []waitingKey{}, Failed: []string{}, Notes: []state.Note{}, Records: []recordProblem{}}
}

// await takes note of a key that waits for somebody.
func (r *turned) await(a awaited, k keyring.Key, sight keyring.Sight) {
	w := waitingKey{Domain: a.domain, Selector: k.Selector, Why: sight.Text}
	if a.manual {
		w.Name, w.Value = strings.TrimSuffix(a.record.Name, "."), a.record.Value
	}
	r.Waits = append(r.Waits, w)
}

// record takes note of the steps that were taken for domains.
func (t *turning) record(domains []string) {
	for _, domain := range domains {
		for _, m := range t.due[domain] {
			t.s.turned.Steps = append(t.s.turned.Steps, keyStep{domain, m.Selector, m.Act, m.Why})
		}
	}
	if t.s.o.dryRun {
		t.s.turned.keys = t.list()
	}
}

// announce says what a round is about to do for domains.
func (t *turning) announce(domains []string) {
	c := t.s.c
	if t.s.o.json {
		return
	}
	said := 0
	for _, domain := range domains {
		for _, m := range t.due[domain] {
			if said++; said <= mostNotes {
				fmt.Fprintln(c.out, fold(plan.Printable(t.line(domain, m)), 78))
			}
		}
	}
	if said > mostNotes {
		fmt.Fprintf(c.out, "and %s more\n", count(said-mostNotes, "step"))
	}
}

// line is a step of a key as people read it.
func (t *turning) line(domain string, m keyring.Move) string {
	what := ""
	switch m.Act {
	case keyring.Make:
		return fmt.Sprintf("%s: a new key, since %s. %s", domain, m.Why, t.prospect(domain))
	case keyring.Confirm:
		what = "is seen everywhere"
		if w := t.situation(domain).Wait(keyring.Key{Selector: m.Selector, Stage: keyring.Published}); w > 0 {
			what = fmt.Sprintf("is seen everywhere, and signs at %s at the earliest", t.s.Now.Add(w).Format("2006-01-02 15:04 MST"))
		}
		return fmt.Sprintf("%s: %s %s", domain, m.Selector, what)
	case keyring.Doubt:
		what = "has to wait again"
	case keyring.Switch:
		what = "signs instead of " + before(t.s.keys, domain)
	case keyring.Revoke:
		what = "gets an empty p="
	case keyring.Withdraw:
		what = "goes"
	}
	return fmt.Sprintf("%s: %s %s: %s", domain, m.Selector, what, m.Why)
}

// prospect is what becomes of a key that is made now, and of the one before it.
func (t *turning) prospect(domain string) string {
	sit := t.foreseen(domain, "")
	active, _ := t.s.keys.Signing(domain)
	if active.Compromised {
		return "It signs as soon as every name server has its record."
	}
	end, active := "leaves DNS", active.At(keyring.Draining, t.s.Now)
	if sit.Policy.Revoke > 0 {
		end = "is revoked"
	}
	return fmt.Sprintf("It signs when every name server has had its record for %s, or longer if caches may keep that there was none; %s %s %s later.",
		spec.Span(sit.Wait(keyring.Key{Stage: keyring.Published})), active.Selector, end, spec.Span(sit.Wait(active)))
}

// observed reports whether a round only takes notice of what DNS has: there is
// no plan to show, and nothing to agree to.
func observed(turns map[string][]keyring.Move) bool {
	for _, moves := range turns {
		if slices.ContainsFunc(moves, func(m keyring.Move) bool { return m.Act != keyring.Confirm && m.Act != keyring.Doubt }) {
			return false
		}
	}
	return len(turns) > 0
}
