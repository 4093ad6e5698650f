package inventory

import (
	"cmp"
	"slices"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/text"
)

// Table has a row for each key of each domain, in columns. Domains with a problem come
// first.
func Table(domains []Domain, now time.Time) string {
	var wrong, right [][]string
	for _, d := range domains {
		keys := d.Keys
		if len(keys) == 0 {
			keys = []Key{{Selector: "-", State: map[bool]keyring.Stage{true: noKey, false: otherSigner}[d.SignedBy == ""]}}
		}
		var rows [][]string
		for _, k := range keys {
			until := "-"
			if !k.Until.IsZero() {
				until = k.Until.Format(time.DateOnly)
			}
			rows = append(rows, []string{d.Domain, k.Selector, age(k.Made, now), k.state(), until, cmp.Or(string(d.DNS), "-"), d.checked(k, now)})
		}
		if d.problem(keys) {
			wrong = append(wrong, rows...)
		} else {
			right = append(right, rows...)
		}
	}
	header := [][]string{{"DOMAIN", "SELECTOR", "AGE", "STATE", "UNTIL", "DNS", "CHECKED"}}
	return text.Columns(slices.Concat(header, wrong, right), 80)
}

// States of domains without a key.
const (
	noKey       keyring.Stage = "no key"
	otherSigner keyring.Stage = "not ours" // somebody else signs
)

func age(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return text.Age(t, now)
}

// state returns what the table says of a key, in the words of `mailsetup status`.
func (k Key) state() string {
	if k.Unusable != "" {
		return dkimkeys.UnusableFile
	}
	if k.Gone != "" {
		return recordwatch.NotInDNS
	}
	return cmp.Or(string(k.State), "?")
}

// checked says what the last check found that is about a key, and how long ago. One that
// was before there was the key says nothing of it.
func (d Domain) checked(k Key, now time.Time) string {
	c := d.LastCheck
	switch {
	case c != nil && !k.Made.After(c.At):
		return map[bool]string{true: "ok ", false: "bad "}[c.OK] + age(c.At, now)
	case !k.Seen.IsZero():
		return "seen " + age(k.Seen, now)
	case !k.Made.IsZero():
		return "unseen"
	}
	return "-"
}

// problem reports whether somebody should look at a domain: its records are not as
// they should be, or mail of it does not leave signed.
func (d Domain) problem(keys []Key) bool {
	return d.LastCheck != nil && !d.LastCheck.OK || slices.ContainsFunc(keys, func(k Key) bool {
		return k.Gone != "" || k.Unusable != "" || k.State == noKey || k.State == dkimkeys.Unused || k.State == keyring.Active && k.Seen.IsZero()
	})
}
