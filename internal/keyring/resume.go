package keyring

import (
	"maps"
	"slices"
	"time"
)

// Resumable returns the key that signs again for a domain that comes back: the newest
// draining one that is not compromised. A key that verified yesterday is better than a
// new one. A key that has signed comes before one that has not, since no resolver
// caches that it is missing; then one whose record was seen comes first. Usable reports
// whether the private key is there and the right one.
func Resumable(keys []Key, usable func(Key) bool) (Key, bool) {
	best, found := Key{}, false
	rank := func(k Key) int {
		n := 0
		if _, signed := k.Since[Active]; signed {
			n += 2
		}
		if !k.Seen.IsZero() {
			n++
		}
		return n
	}
	for _, k := range slices.Backward(keys) {
		if k.Stage == Draining && !k.Compromised && (!found || rank(k) > rank(best)) && usable(k) {
			best, found = k, true
		}
	}
	return best, found
}

// Resumed returns the keys with that one active again. It keeps its age, and a later
// drain begins anew.
func Resumed(keys []Key, selector string, now time.Time) []Key {
	out := slices.Clone(keys)
	for i, k := range out {
		if k.Selector == selector && !k.past() {
			out[i] = k.At(Active, now)
			out[i].Since = maps.Clone(out[i].Since)
			delete(out[i].Since, Draining)
		}
	}
	return out
}
