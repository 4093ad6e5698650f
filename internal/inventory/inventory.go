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
	SignedBy  string       `json:"signed_by,omitempty"` // "other": not by mailsetup
	Keys      []Key        `json:"keys"`
	LastCheck *LastCheck   `json:"checked,omitempty"`
}

// Key is a key that exists.
type Key struct {
	Selector string        `json:"selector"`
	Bits     int           `json:"bits,omitempty"`
	State    keyring.Stage `json:"state,omitempty"` // "" if only root may know
	Made     *time.Time    `json:"made,omitempty"`
	Seen     *time.Time    `json:"seen,omitempty"`     // in DNS, first
	Until    *time.Time    `json:"until,omitempty"`    // the record stays, of a key that no longer signs
	Gone     string        `json:"gone,omitempty"`     // what name servers said when none had the record
	Unusable string        `json:"unusable,omitempty"` // why OpenDKIM cannot sign with it
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
	// Unusable is why OpenDKIM cannot sign with the keys that should, by domain.
	Unusable map[string]error
	// KeysUnknown: only root may read the ledger. The spec tells the selectors.
	KeysUnknown bool
	// InStage returns how long keys of a domain have certainly been in their stages, by
	// selector; nil: as long as the wall clock says.
	InStage func(domain string, keys []keyring.Key) map[string]time.Duration
	Now     time.Time
}

// Domains returns the domains of the spec, and those removed that still have keys,
// by name.
func (s Sources) Domains() []Domain {
	known := make(map[string]bool, len(s.Spec.Domains))
	all := make([]Domain, 0, len(s.Spec.Domains))
	for _, d := range s.Spec.Domains {
		known[d.Name] = true
		one := Domain{
			Domain: d.Name, Primary: d.Name == s.Spec.Host.Domain, DNS: s.Spec.DNSOf(d), SignedBy: d.SignedBy,
			Keys: s.keys(d, false), LastCheck: s.lastCheck(d.Name),
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
		keys := s.keys(spec.Domain{Name: name}, true)
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
func (s Sources) keys(d spec.Domain, removed bool) []Key {
	list, last := []Key{}, s.Checks[d.Name]
	for _, k := range keyring.Existing(s.Ledger[d.Name]) {
		one := Key{
			Selector: k.Selector, Bits: k.Bits, State: k.Stage, Made: optional(k.Since[keyring.Staged]),
			Seen: cmp.Or(optional(k.Seen), optional(last.Seen[k.Selector])),
			Gone: recordwatch.KeyGone(last, d.Name, k.Selector), Until: s.until(d, k, removed),
		}
		if err := s.Unusable[d.Name]; err != nil && k.Stage == keyring.Active {
			one.Unusable = err.Error()
		}
		list = append(list, one)
	}
	return list
}

// until returns when the record of a key is withdrawn at the earliest, or changes to a
// revoked one; nil for one that signs or will, and for a compromised one, which the next
// run revokes.
func (s Sources) until(d spec.Domain, k keyring.Key, removed bool) *time.Time {
	if k.Stage != keyring.Draining && k.Stage != keyring.Revoked || k.Stage == keyring.Draining && k.Compromised && !removed {
		return nil
	}
	sit := keyring.Situation{Removed: removed, Policy: keyring.Policy{Drain: s.Spec.DrainOf(d), Revoke: max(0, s.Spec.RotationOf(d).Revoke)}}
	if s.InStage == nil {
		return optional(k.Since[k.Stage].Add(sit.Wait(k)))
	}
	sit.Elapsed = s.InStage(d.Name, s.Ledger[d.Name])
	return optional(s.Now.Add(sit.Remaining(k)).Truncate(time.Second))
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
