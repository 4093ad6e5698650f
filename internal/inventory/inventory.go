// Package inventory lists the domains of a server, their keys, and what was last
// seen of their records.
package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
)

// Domain is what is known of one domain. Removed ones are listed while they have
// keys.
type Domain struct {
	Domain    string
	Primary   bool
	Removed   bool
	DNS       spec.DNSMode
	SignedBy  string // "other": not by mailsetup
	Keys      []Key
	LastCheck *LastCheck
}

// Key is a key that exists.
type Key struct {
	Selector string
	Bits     int
	State    keyring.Stage // "" if only root may know
	Made     time.Time
	Seen     time.Time // in DNS, first
	Until    time.Time // the record stays, of a key that no longer signs
	Gone     string    // what name servers said when none had the record
	Unusable string    // why OpenDKIM cannot sign with it
}

// LastCheck is what the last check of a domain's records found.
type LastCheck struct {
	At    time.Time
	OK    bool
	Found string
	// Records are what counted as a problem in the last look of rotate-dkim.
	Records []recordwatch.Problem
}

// Document returns the list as data.
func Document(all []Domain) jsondoc.List {
	list := jsondoc.List{Domains: make([]jsondoc.Domain, 0, len(all))}
	for _, d := range all {
		one := jsondoc.Domain{
			Domain: d.Domain, Primary: d.Primary, Removed: d.Removed, DNS: string(d.DNS), SignedBy: d.SignedBy, Keys: []jsondoc.Key{},
		}
		for _, k := range d.Keys {
			one.Keys = append(one.Keys, jsondoc.Key{
				Domain: d.Domain, Selector: k.Selector, Bits: k.Bits, Stage: string(k.State), Made: k.Made, Seen: k.Seen, Next: k.Until,
				Gone: k.Gone, Unusable: k.Unusable,
			})
		}
		if c := d.LastCheck; c != nil {
			one.Checked = &jsondoc.Look{At: c.At, OK: c.OK, Found: c.Found, Problems: recordwatch.Data(c.Records)}
		}
		list.Domains = append(list.Domains, one)
	}
	return list
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
			Selector: k.Selector, Bits: k.Bits, State: k.Stage, Made: k.Since[keyring.Staged], Seen: cmp.Or(k.Seen, last.Seen[k.Selector]),
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
// revoked one; zero for one that signs or will, and for a compromised one, which the next
// run revokes.
func (s Sources) until(d spec.Domain, k keyring.Key, removed bool) time.Time {
	if k.Stage != keyring.Draining && k.Stage != keyring.Revoked || k.Stage == keyring.Draining && k.Compromised && !removed {
		return time.Time{}
	}
	sit := keyring.Situation{Removed: removed, Policy: keyring.Policy{Drain: s.Spec.DrainOf(d), Revoke: max(0, s.Spec.RotationOf(d).Revoke)}}
	if s.InStage == nil {
		return k.Since[k.Stage].Add(sit.Wait(k))
	}
	sit.Elapsed = s.InStage(d.Name, s.Ledger[d.Name])
	return s.Now.Add(sit.Remaining(k)).Truncate(time.Second)
}

// lastCheck returns what the last check of a domain found, nil if there was none.
func (s Sources) lastCheck(domain string) *LastCheck {
	c := s.Checks[domain]
	if c.At.IsZero() {
		return nil
	}
	return &LastCheck{c.At, c.OK, c.Found, recordwatch.Problems(domain, c.Watch.Problems, s.Now)}
}
