// Package inventory lists the domains of a server, their keys, and what was last
// seen of their records.
package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
)

// Domain is what is known of one domain. Removed ones are listed while they have
// keys.
type Domain struct {
	Domain    string       `json:"domain"`
	Primary   bool         `json:"primary,omitempty"`
	Removed   bool         `json:"removed,omitempty"`
	DNS       spec.DNSMode `json:"dns,omitempty"`
	Keys      []Key        `json:"keys"`
	LastCheck *LastCheck   `json:"checked,omitempty"`
}

// Key is a key that exists.
type Key struct {
	Selector string        `json:"selector"`
	Bits     int           `json:"bits,omitempty"`
	State    keyring.Stage `json:"state,omitempty"` // "" if only root may know
	Made     *time.Time    `json:"made,omitempty"`
	Seen     *time.Time    `json:"seen,omitempty"`  // in DNS, first
	Until    *time.Time    `json:"until,omitempty"` // the record is needed
	Gone     string        `json:"gone,omitempty"`  // what name servers said when none had the record
}

// LastCheck is what the last check of a domain's records found.
type LastCheck struct {
	At    time.Time `json:"at"`
	OK    bool      `json:"ok"`
	Found string    `json:"found,omitempty"`
	// Records are what counted as a problem in the last look of rotate-dkim.
	Records []recordwatch.Problem `json:"records,omitempty"`
}

// Sources are what the list is made from.
type Sources struct {
	Spec   spec.Spec
	Ledger keyring.Ledger
	Checks map[string]keyring.LastCheck
	// StageWithoutFile returns the stage of a key whose domain has no file, which
	// depends on OpenDKIM's tables.
	StageWithoutFile func(domain string, k keyring.Key) keyring.Stage
	// KeysUnknown: only root may read the ledger. The spec tells the selectors.
	KeysUnknown bool
	Now         time.Time
}

// Domains returns the domains of the spec, and those removed that still have keys,
// by name.
func (s Sources) Domains() []Domain {
	known := make(map[string]bool, len(s.Spec.Domains))
	all := make([]Domain, 0, len(s.Spec.Domains))
	for _, d := range s.Spec.Domains {
		known[d.Name] = true
		one := Domain{
			Domain: d.Name, Primary: d.Name == s.Spec.Host.Domain, DNS: s.Spec.DNSOf(d),
			Keys: s.keys(d.Name, s.Spec.DrainOf(d)), LastCheck: s.lastCheck(d.Name),
		}
		if s.KeysUnknown {
			one.Keys = []Key{{Selector: d.Selector}}
		}
		all = append(all, one)
	}
	for name, ledger := range s.Ledger {
		existing := keyring.Existing(ledger)
		if known[name] || len(existing) == 0 {
			continue
		}
		keys := s.keys(name, s.Spec.Host.Drain)
		for i, k := range existing {
			keys[i].State = s.StageWithoutFile(name, k)
		}
		all = append(all, Domain{Domain: name, Removed: true, Keys: keys, LastCheck: s.lastCheck(name)})
	}
	slices.SortFunc(all, func(a, b Domain) int { return strings.Compare(a.Domain, b.Domain) })
	return all
}

// keys returns the keys of a domain that exist. The record of one was seen when it
// was made active, or by a later check.
func (s Sources) keys(domain string, drain time.Duration) []Key {
	list, last := []Key{}, s.Checks[domain]
	for _, k := range keyring.Existing(s.Ledger[domain]) {
		one := Key{
			Selector: k.Selector, Bits: k.Bits, State: k.Stage, Made: optional(k.Since[keyring.Staged]),
			Seen: cmp.Or(optional(k.Seen), optional(last.Seen[k.Selector])),
			Gone: recordwatch.KeyGone(last, domain, k.Selector),
		}
		if since, ok := k.Since[keyring.Draining]; ok && k.Stage == keyring.Draining {
			one.Until = optional(since.Add(drain))
		}
		list = append(list, one)
	}
	return list
}

// optional returns a time, nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// lastCheck returns what the last check of a domain found, nil if there was none.
func (s Sources) lastCheck(domain string) *LastCheck {
	c := s.Checks[domain]
	if c.At.IsZero() {
		return nil
	}
	return &LastCheck{c.At, c.OK, c.Found, recordwatch.Problems(domain, c.Watch.Problems, s.Now)}
}
