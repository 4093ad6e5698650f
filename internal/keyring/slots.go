package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// A slot is a selector that comes back with another key: at the domain there is a CNAME,
// which nobody changes any more, and the record stands in a zone of ours.
//
// That is against the advice of RFC 6376 section 3.1, so between two keys of a slot there
// is an empty p= (section 3.6.1), which everybody has to be seen to have for as long as
// anybody may remember the key before it: then no verifier takes the one for the other.

// Slots are the slots of a domain. The zero value means that it has none.
type Slots struct {
	Zone      string // the slot zone, without final dot
	Selectors []string
}

// Target returns the name that the selector of a slot is an alias of, without final dot.
// No two domains have the same one, and it says which it belongs to.
func Target(selector, domain, zone string) string { return dnsname.Key(selector, domain) + "." + zone }

// staleAnswers is how long a resolver may answer from its cache, a stale answer included,
// which it gives while it does not reach the name servers: RFC 8767 caps TTLs at that
// (section 4), and advises to be content with three days beyond the TTL (section 5).
const staleAnswers = 7 * 24 * time.Hour

// slotLag is how long, at least, everybody was seen to have the key of a slot before it
// signs: what the provider of a domain let others remember of the empty p= before it, under
// an earlier TTL or as a copy instead of a CNAME, nobody can see any more.
const slotLag = 24 * time.Hour

// LeastAgeInSlot returns the age of a key of a slot before which no slot is sure to be free for
// the next one.
func LeastAgeInSlot(drain, lag time.Duration) time.Duration {
	return drain + staleAnswers + max(lag, slotLag)
}

// slotLag returns that of a key, 0 for one that is in no slot.
func (k Key) slotLag() time.Duration {
	if k.SlotZone == "" {
		return 0
	}
	return slotLag
}

// Free returns the slot that gets the next key: of those that no key has, the one that
// was not used for the longest time. It is "" if each has a key.
func (s Slots) Free(keys []Key, now time.Time) string {
	best, unused := "", time.Time{}
	for _, selector := range s.Selectors {
		k, used := Key{}, false
		if i := Index(keys, selector); i >= 0 {
			k, used = keys[i], true
		}
		switch {
		case !used:
			return selector
		case k.SlotZone == "": // a selector of its own is never used again
		case k.Stage != Gone || !k.forgotten(now):
		case best == "" || k.Since[Gone].Before(unused):
			best, unused = selector, k.Since[Gone]
		}
	}
	return best
}

// forgotten reports whether nobody may remember a key that is gone: everybody had its
// empty p= for long enough, or it went long ago without one, in a rollback or with its
// domain.
func (k Key) forgotten(now time.Time) bool {
	return !k.Cleared.IsZero() || now.Sub(k.Since[Gone]) >= staleAnswers
}

// FileNumber returns the number of the next private key of a slot: its file is never that of
// one before.
func FileNumber(keys []Key, selector string) int {
	n := 1
	for _, k := range keys {
		if strings.EqualFold(k.Selector, selector) {
			n++
		}
	}
	return n
}

// Records returns what the slots of a domain have in the slot zone while its keys are these:
// the key of each that has one, and otherwise an empty p=, so that no CNAME leads nowhere.
func (s Slots) Records(domain string, keys []Key, ttl uint32) []state.Record {
	var list []state.Record
	for _, k := range Existing(keys) {
		switch {
		case k.SlotZone == "":
		case k.Stage == Revoked:
			list = append(list, k.RevokedRecord(domain, ttl))
		default:
			list = append(list, k.Record(domain, ttl))
		}
	}
	for _, selector := range s.Selectors {
		free := state.Record{Name: Target(selector, domain, s.Zone) + ".", Type: "TXT", TTL: ttl, Value: keygen.Record("")}
		if !slices.ContainsFunc(list, func(r state.Record) bool { return strings.EqualFold(r.Name, free.Name) }) {
			list = append(list, free)
		}
	}
	return list
}

// Aliases returns the CNAMEs of a domain: of its slots, and of keys in slots that it had
// before.
func (s Slots) Aliases(domain string, keys []Key, ttl uint32) []state.Record {
	zones, selectors := map[string]string{}, slices.Clone(s.Selectors)
	for _, selector := range s.Selectors {
		zones[selector] = s.Zone
	}
	for _, k := range Existing(keys) {
		if k.SlotZone == "" {
			continue
		}
		if zones[k.Selector] == "" {
			selectors = append(selectors, k.Selector)
		}
		zones[k.Selector] = k.SlotZone
	}
	var list []state.Record
	for _, selector := range selectors {
		list = append(list, state.Record{Name: dnsname.Key(selector, domain) + ".", Type: "CNAME", TTL: ttl, Value: Target(selector, domain, zones[selector]) + "."})
	}
	return list
}

// NoSlot returns why the domain cannot get another key, "" if it can.
func (s Situation) NoSlot() string {
	if len(s.Slots.Selectors) == 0 || s.Slots.Free(s.Keys, s.Now) != "" {
		return ""
	}
	return fmt.Sprintf("none of its %d slots is free: each has a key that signs, or that somebody may still remember", len(s.Slots.Selectors))
}

// moveReason returns why a key gets a successor that stands elsewhere in DNS.
func (s Situation) moveReason(k Key) string {
	if s.Slots.Zone == "" {
		return fmt.Sprintf("%s is in a slot, and new keys have a selector of their own", k.Selector)
	}
	return fmt.Sprintf("%s is not in a slot of %s", k.Selector, s.Slots.Zone)
}

// retireInSlot returns the step of a key of a slot that no longer signs.
func (s Situation) retireInSlot(k Key) (Transition, bool) {
	sight := s.Observations[k.Selector]
	switch {
	case k.Stage == Draining && s.Remaining(k) == 0:
		return Transition{Revoke, k.Selector, "mail that it signed has arrived or come back"}, true
	case k.clearing() && sight.Published:
		return Transition{ConfirmPublished, k.Selector, "every server has its empty p="}, true
	case k.clearing() || k.Stage != Revoked:
	case !sight.Published:
		return Transition{LostPublished, k.Selector, cmp.Or(sight.Problem, "its empty p= was not seen")}, true
	case s.Remaining(k) == 0:
		return Transition{Withdraw, k.Selector, "nobody can remember it any more"}, true
	}
	return Transition{}, false
}

// clearing reports whether not everybody is known to have the empty p= of a revoked key.
func (k Key) clearing() bool { return k.SlotZone != "" && k.Stage == Revoked && k.Cleared.IsZero() }

// began is when the stage of the key began, as far as it counts: the empty p= of a slot
// counts once everybody has it.
func (k Key) began() time.Time {
	if k.Stage == Revoked && k.SlotZone != "" {
		return k.Cleared
	}
	return k.Since[k.Stage]
}

// clearedWait returns how long everybody has to have the empty p= of a key of a slot.
func (s Situation) clearedWait(k Key) time.Duration {
	if k.SlotZone == "" {
		return 0
	}
	return max(staleAnswers, s.Observations[k.Selector].MaxCacheTTL)
}

// Observed reports whether the next step of a key depends on what DNS has of it.
func (k Key) Observed(keys []Key) bool {
	next, ok := Successor(keys)
	return ok && next.Selector == k.Selector && k.Stage != Gone || k.SlotZone != "" && k.Stage == Revoked
}
