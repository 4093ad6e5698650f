package keyring

import (
	"maps"
	"slices"
	"time"
)

// Resumable is the key that signs again for a domain that comes back after its
// end: the newest of those that drain and are not compromised, for a key that
// verified yesterday is better than one that nobody has seen. One that signed
// before, so that caches do not have it that there is none, goes before one that
// did not, and then one whose record was seen before one whose was not. Usable
// tells whether the private key is there and the right one.
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

// Resumed returns the keys with that one active again. It is as old as it was,
// and a later drain is a new one.
func Resumed(keys []Key, selector string, now time.Time) []Key {
	out := slices.Clone(keys)
	for i, k := range out {
		if k.Selector == selector {
			out[i] = k.At(Active, now)
			out[i].Since = maps.Clone(out[i].Since)
			delete(out[i].Since, Draining)
		}
	}
	return out
}
