package rotation

import (
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/steps/records"
)

// keyState is the state of the keys in a run.
type keyState struct {
	spec        spec.Spec
	tree, force bool
	now         time.Time
	ledger      keyring.Ledger
	elapsed     keyring.Elapsed
	observed    map[string]map[string]keyring.Observation // by domain and selector
	started     map[string]bool                           // domains that got a successor in this run
}

// publishedByHand reports whether somebody publishes the records of a domain by hand, but
// for those of slots. The keys of a zone of their own are not.
func (s keyState) publishedByHand(d spec.Domain) bool {
	return s.spec.ByHand(d) && !records.Delegates(s.spec, d)
}

// signedDomains returns the domains whose mail is signed with a key of ours, by name.
func (s keyState) signedDomains() []string {
	var names []string
	for _, d := range s.spec.Domains {
		if k, signs := s.ledger.Signing(d.Name); signs && k.Stage == keyring.Active && d.SignedBy == "" {
			names = append(names, d.Name)
		}
	}
	return names
}

// elapsedOf returns how long the keys of a domain have been in their stages.
func (s keyState) elapsedOf(domain string) map[string]time.Duration {
	if !s.tree {
		return s.elapsed.InStage(domain, s.ledger[domain])
	}
	out := map[string]time.Duration{}
	for _, k := range s.ledger[domain] {
		if since, ok := k.Since[k.Stage]; ok {
			out[k.Selector] = s.now.Sub(since)
		}
	}
	return out
}

// looked reports whether this round looked for the record of a domain's successor.
func (s keyState) looked(domain string) bool { return s.observed[domain] != nil }

// situation returns everything that decides the next step of a domain's keys.
func (s keyState) situation(domain string) keyring.Situation {
	sit := keyring.Situation{
		Keys: s.ledger[domain], Policy: PolicyOf(s.spec, domainNamed(s.spec, domain)), Now: s.now,
		Elapsed: s.elapsedOf(domain), Observations: s.observed[domain], Rotate: s.force && !s.started[domain],
	}
	d, known := findDomain(s.spec, domain)
	if sit.Removed = !known; known {
		sit.Slots = records.Slots(s.spec, d)
	}
	return sit
}

// forecast returns the situation of a domain without DNS queries, assuming that caches
// keep records for the domain's own TTL.
func (s keyState) forecast(domain, selector string) keyring.Situation {
	sit := s.situation(domain)
	if _, seen := sit.Observations[selector]; !seen {
		sit.Observations = map[string]keyring.Observation{selector: {MaxCacheTTL: time.Duration(domainNamed(s.spec, domain).TTL) * time.Second}}
	}
	return sit
}

// notifiedToday reports whether the administrator was notified about a key within a
// day.
func (s keyState) notifiedToday(domain string, k keyring.Key) bool {
	at, ok := s.elapsed.LastNotified(domain, k)
	return ok && keyring.Recently(at, s.now, remindEvery)
}

// markNotified records that this run notifies the administrator about a key.
func (s *keyState) markNotified(domain string, k keyring.Key) {
	s.elapsed.MarkNotified(domain, k, s.now)
}
