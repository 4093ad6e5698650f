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

// File is where the keys of a domain are recorded.
func File(domain string) state.Path { return state.LedgerDir.Join(domain + ".json") }

// Dir holds the files of all domains.
func Dir() state.Path { return state.LedgerDir }

// Stages returns the life of a key in order.
func Stages() []Stage {
	return []Stage{Staged, Publishing, Published, Active, Draining, Revoked, Gone}
}

// Signing returns the key that signs the domain's mail: the active one, or
// else the newest on its way there, which is a first key that may sign before
// its record was seen.
func (l Ledger) Signing(domain string) (Key, bool) {
	keys := l[domain]
	for _, k := range keys {
		if k.Stage == Active {
			return k, true
		}
	}
	for _, k := range slices.Backward(keys) {
		if k.Stage == Staged || k.Stage == Publishing || k.Stage == Published {
			return k, true
		}
	}
	return Key{}, false
}

// SelectorUsed reports whether the domain ever had a key under the selector, at
// whatever stage it is now: selectors are never used again. DNS does not tell
// upper from lower case, so neither does this.
func (l Ledger) SelectorUsed(domain, selector string) bool {
	return slices.ContainsFunc(l[domain], func(k Key) bool { return strings.EqualFold(k.Selector, selector) })
}

// Put returns a copy of the ledger in which the domain has the key: instead
// of the one with the same selector, or else as its newest.
func (l Ledger) Put(domain string, key Key) Ledger {
	return l.PutAll(map[string]Key{domain: key})
}

// PutAll does the same for one key of each of several domains.
func (l Ledger) PutAll(fresh map[string]Key) Ledger {
	out := make(Ledger, len(l)+len(fresh))
	maps.Copy(out, l)
	for domain, key := range fresh {
		keys := slices.Clone(l[domain])
		key.Since = maps.Clone(key.Since)
		i := slices.IndexFunc(keys, func(k Key) bool { return strings.EqualFold(k.Selector, key.Selector) })
		if i >= 0 {
			keys[i] = key
		} else {
			keys = append(keys, key)
		}
		out[domain] = keys
	}
	return out
}

// At returns the key at a stage reached now. The time of a stage that it was
// in before is kept: only the first success counts.
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

// Withdrawn returns the keys as they are after a rollback took their files and
// records away: gone, and still listed, so that their selectors stay used.
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

// BeforeWithdrawn returns what the text of a ledger file may have been before
// rollbacks added keys that are gone (Withdrawn) at its end, the latest text first;
// nil where its last key is not gone, or where it is no ledger.
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
// of the selector.
func (l Ledger) Without(domain, selector string) Ledger {
	return l.Replaced(domain, slices.DeleteFunc(slices.Clone(l[domain]), func(k Key) bool { return k.Selector == selector }))
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

// Drain returns the keys as they are once the domain stops signing. What
// signed, or was about to, stays published for mail under way: its copies may
// wait in queues anywhere.
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

// Existing returns the keys that still exist: all but those that are gone.
func Existing(keys []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.Stage == Gone })
}

// Drained reports whether a key has been draining for long enough that no mail
// it signed can still be under way.
func (k Key) Drained(now time.Time, drain time.Duration) bool {
	since, ok := k.Since[Draining]
	return k.Stage == Draining && ok && now.Sub(since) >= drain
}

// EqualOnDisk reports whether two lists of keys make the same file.
func EqualOnDisk(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(x, y Key) bool {
		since := maps.EqualFunc(x.Since, y.Since, func(s, t time.Time) bool { return fileTime(s).Equal(fileTime(t)) })
		seen := x.Seen.IsZero() == y.Seen.IsZero() && fileTime(x.Seen).Equal(fileTime(y.Seen))
		x.Since, x.Seen, y.Since, y.Seen = nil, time.Time{}, nil, time.Time{}
		return since && seen && reflect.DeepEqual(x, y)
	})
}

// Validate finds keys that contradict each other or themselves.
func Validate(keys []Key) error {
	active := ""
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		name := strings.ToLower(k.Selector)
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

// suffixLength is how many random characters tell selectors of one month apart: 36^4
// are 1.7 million.
const suffixLength = 4

// attempts bounds the search for a free selector, so that a function that
// calls everything taken cannot hang the program.
const attempts = 100

// ChooseSelector returns a selector that is not taken: the month (202611), or the month
// with a random tail. Random returns n characters of a-z and 0-9. If all
// attempts were taken the last one is returned, and creating its file fails.
func ChooseSelector(now time.Time, taken func(selector string) bool, random func(n int) string) string {
	month := now.Format("200601")
	selector := month
	for range attempts {
		if !taken(selector) {
			return selector
		}
		selector = month + "-" + random(suffixLength)
	}
	return selector
}
