package keyring

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/state"
)

// File returns the path of the ledger file of a domain.
func File(domain string) state.Path { return state.LedgerDir.Join(domain + ".json") }

// Dir returns the directory of the ledger files.
func Dir() state.Path { return state.LedgerDir }

// Stages returns the life of a key in order.
func Stages() []Stage {
	return []Stage{Staged, Publishing, Published, Active, Draining, Revoked, Gone}
}

// Signing returns the key that signs the domain's mail: the active one, or else the
// newest that will become active: a first key may sign before its record was seen.
func (l Ledger) Signing(domain string) (Key, bool) {
	keys := l[domain]
	for i := range keys { // of ten thousand domains, many times in a run: no key is copied
		if keys[i].Stage == Active {
			return keys[i], true
		}
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if s := keys[i].Stage; s == Staged || s == Publishing || s == Published {
			return keys[i], true
		}
	}
	return Key{}, false
}

// SelectorUsed reports whether the domain ever had a key with the selector, in any case
// of letters, as in DNS: selectors are never used again.
func (l Ledger) SelectorUsed(domain, selector string) bool {
	return slices.ContainsFunc(l[domain], func(k Key) bool { return strings.EqualFold(k.Selector, selector) })
}

// Put returns a copy of the ledger with the key, which replaces the one with the same
// selector or is appended. The keys that a slot had before it stay.
func (l Ledger) Put(domain string, key Key) Ledger {
	return l.PutAll(map[string]Key{domain: key})
}

// PutAll is Put for one key of each of several domains.
func (l Ledger) PutAll(fresh map[string]Key) Ledger {
	out := maps.Clone(l)
	if out == nil {
		out = Ledger{}
	}
	for domain, key := range fresh {
		keys := slices.Clone(l[domain])
		key.Since = shared(maps.Clone(key.Since))
		i := slices.IndexFunc(keys, func(k Key) bool {
			return strings.EqualFold(k.Selector, key.Selector) && (!k.past() || k.Fingerprint == key.Fingerprint)
		})
		if i >= 0 {
			keys[i] = key
		} else {
			keys = append(keys, key)
		}
		out[domain] = keys
	}
	return out
}

// At returns the key in a stage that it enters now. If it was in the stage before, it
// keeps that time: only the first success counts.
func (k Key) At(stage Stage, now time.Time) Key {
	k.Stage = stage
	k.Since = maps.Clone(k.Since)
	if k.Since == nil {
		k.Since = make(map[Stage]time.Time, 1)
	}
	if _, ok := k.Since[stage]; !ok {
		k.Since[stage] = now
	}
	return k
}

// Withdrawn returns the keys after a rollback removed their files and records: gone,
// and still listed, so that their selectors stay used.
func Withdrawn(keys []Key, now time.Time) []Key {
	out := make([]Key, 0, len(keys))
	for _, k := range keys {
		if k.Stage != Gone {
			k = k.At(Gone, now)
		}
		out = append(out, k)
	}
	return out
}

// BeforeWithdrawn returns the possible texts of a ledger file before rollbacks appended
// gone keys (Withdrawn), the latest first; nil if its last key is not gone, or it is
// not a ledger.
func BeforeWithdrawn(text []byte) [][]byte {
	keys, err := ParseDomain(text)
	if err != nil {
		return nil
	}
	var all [][]byte
	for n := len(keys) - 1; n >= 0 && keys[n].Stage == Gone; n-- {
		all = append(all, MarshalDomain(keys[:n]))
	}
	return all
}

// Without returns a copy of the ledger in which the domain does not have the key
// of the selector, but for those that its slot had before.
func (l Ledger) Without(domain, selector string) Ledger {
	return l.Replaced(domain, slices.DeleteFunc(slices.Clone(l[domain]), func(k Key) bool { return k.Selector == selector && !k.past() }))
}

// Replaced returns a copy of the ledger in which the domain has these keys and no
// others.
func (l Ledger) Replaced(domain string, keys []Key) Ledger {
	out := maps.Clone(l)
	if len(keys) == 0 {
		delete(out, domain)
	} else {
		out[domain] = keys
	}
	return out
}

// Drain returns the keys after the domain stops signing. A key that signed, or was
// about to, stays published: its mail may be in queues anywhere.
func Drain(keys []Key, now time.Time) []Key {
	out := slices.Clone(keys)
	for i, k := range out {
		switch k.Stage {
		case Staged, Publishing, Published, Active:
			out[i] = k.At(Draining, now)
		}
	}
	return out
}

// Existing returns all keys that are not gone.
func Existing(keys []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.Stage == Gone })
}

// Drained reports whether a key has been draining for so long that none of its mail can
// still be in a queue.
func (k Key) Drained(now time.Time, drain time.Duration) bool {
	since, ok := k.Since[Draining]
	return k.Stage == Draining && ok && now.Sub(since) >= drain
}

// Index returns the index of the key of a selector, -1 for none: of a slot that of the key
// that has it now, or else of the last one that had it.
func Index(keys []Key, selector string) int {
	last := -1
	for i, k := range keys {
		if !strings.EqualFold(k.Selector, selector) {
			continue
		}
		if last = i; !k.past() {
			return i
		}
	}
	return last
}

// EqualOnDisk reports whether two lists of keys have the same ledger file.
func EqualOnDisk(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(x, y Key) bool {
		since := maps.EqualFunc(x.Since, y.Since, func(s, t time.Time) bool { return fileTime(s).Equal(fileTime(t)) })
		same := func(a, b time.Time) bool { return a.IsZero() == b.IsZero() && fileTime(a).Equal(fileTime(b)) }
		seen := same(x.Seen, y.Seen) && same(x.Cleared, y.Cleared)
		x.Since, x.Seen, x.Cleared, y.Since, y.Seen, y.Cleared = nil, time.Time{}, time.Time{}, nil, time.Time{}, time.Time{}
		return since && seen && reflect.DeepEqual(x, y)
	})
}

// Validate returns an error if keys contradict themselves or each other.
func Validate(keys []Key) error {
	active := ""
	seen := make(map[string]bool, len(keys))
	past := map[string]bool{} // selectors with a fingerprint
	for _, k := range keys {
		name := strings.ToLower(k.Selector)
		if k.past() && name != "" {
			name += " " + k.Fingerprint
			if past[name] {
				return fmt.Errorf("selector %q: the same key twice", k.Selector)
			}
			past[name] = true
			continue
		}
		switch {
		case name == "":
			return fmt.Errorf("key without a selector")
		case seen[name]:
			return fmt.Errorf("selector %q: used for two keys", k.Selector)
		case !slices.Contains(Stages(), k.Stage):
			return fmt.Errorf("key %q: stage %q is not known", k.Selector, k.Stage)
		case k.Stage == Active && active != "":
			return fmt.Errorf("keys %q and %q: both active", active, k.Selector)
		}
		seen[name] = true
		if k.Stage == Active {
			active = k.Selector
		}
	}
	return nil
}

// suffixLength is the number of random characters that distinguish selectors of one
// month: 36^4 are 1.7 million.
const suffixLength = 4

// attempts bounds the search for an unused selector, so that a function which calls
// everything taken cannot hang the program.
const attempts = 100

// ChooseSelector returns a selector that is not taken: the month (202611), behind a prefix
// if there is one (mx1-202611), or that with a random suffix. Random returns n characters of
// a-z and 0-9. If all attempts are taken it returns the last one, and creating its file
// fails.
func ChooseSelector(prefix string, now time.Time, taken func(selector string) bool, random func(n int) string) string {
	month := now.Format("200601")
	if prefix != "" {
		month = prefix + "-" + month
	}
	selector := month
	for range attempts {
		if !taken(selector) {
			return selector
		}
		selector = month + "-" + random(suffixLength)
	}
	return selector
}
