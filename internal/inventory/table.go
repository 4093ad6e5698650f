package inventory

import (
	"cmp"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/text"
)

// Table has one row for each key of each domain, in columns.
func Table(domains []Domain, now time.Time) string {
	age := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return text.Age(*t, now)
	}
	rows := [][]string{{"DOMAIN", "SELECTOR", "AGE", "STATE", "DNS", "CHECKED"}}
	for _, d := range domains {
		checked := "-"
		if c := d.LastCheck; c != nil {
			checked = map[bool]string{true: "ok ", false: "bad "}[c.OK] + age(&c.At)
		}
		keys := d.Keys
		if len(keys) == 0 {
			keys = []Key{{Selector: "-", State: "no key"}}
		}
		for _, k := range keys {
			rows = append(rows, []string{d.Domain, k.Selector, age(k.Made), k.state(), cmp.Or(string(d.DNS), "-"), checked})
		}
	}
	return text.Columns(rows, 80)
}

// state returns what the table says of a key.
func (k Key) state() string {
	switch {
	case k.Gone != "":
		return recordwatch.NotInDNS
	case k.Until != nil:
		return "drains " + k.Until.Format(time.DateOnly)
	case k.State == keyring.Active && k.Seen == nil:
		return "unseen"
	}
	return cmp.Or(string(k.State), "?")
}
