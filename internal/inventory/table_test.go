package inventory_test

import (
	"testing"
	"time"

	"mailsetup/internal/inventory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

func TestListTable(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	until := now.Add(48 * time.Hour)
	all := []inventory.Domain{
		{
			Domain: "a-name-that-is-longer-than-the-others-leave-room-for.example", DNS: spec.DNSManual,
			Keys: []inventory.Key{{Selector: "202611-abcd", State: keyring.Active, Made: ago(90 * time.Minute)}},
		},
		{
			Domain: "gone.example", DNS: spec.DNSBind, LastCheck: &inventory.LastCheck{At: ago(3 * time.Hour)},
			Keys: []inventory.Key{{Selector: "202611", State: keyring.Active, Made: ago(400 * 24 * time.Hour), Seen: ago(time.Hour), Gone: "missing"}},
		},
		{
			Domain: "lab.example", DNS: spec.DNSBind, LastCheck: &inventory.LastCheck{At: ago(3 * time.Hour), OK: true},
			Keys: []inventory.Key{
				{Selector: "202605", State: keyring.Revoked, Made: ago(600 * 24 * time.Hour), Seen: ago(0), Until: until},
				{Selector: "202611", State: keyring.Active, Made: ago(400 * 24 * time.Hour), Seen: ago(0)},
				{Selector: "202612", State: keyring.Publishing, Made: ago(time.Hour)},
			},
		},
		{Domain: "new.example", DNS: spec.DNSUpdate},
		{
			Domain: "old.example", Removed: true, LastCheck: &inventory.LastCheck{At: ago(-time.Hour)},
			Keys: []inventory.Key{{Selector: "202611", State: keyring.Draining, Made: ago(47 * time.Hour), Until: until}},
		},
		{
			Domain: "served.example", DNS: spec.DNSBind,
			Keys: []inventory.Key{{Selector: "202611", State: keyring.Active, Made: ago(50 * time.Hour), Seen: ago(49 * time.Hour)}},
		},
		{Domain: "theirs.example", DNS: spec.DNSBind, SignedBy: spec.ByOther},
		{Domain: "unknown.example", DNS: spec.DNSBind, Keys: []inventory.Key{{Selector: "202611"}}},
	}
	const want = `DOMAIN               SELECTOR     AGE   STATE       UNTIL       DNS      CHECKED
a-name-that-is-longer-than-the-others-leave-room-for.example
                     202611-abcd  90m   active      -           manual   unseen
gone.example         202611       400d  not in DNS  -           bind     bad 3h
new.example          -            -     no key      -           rfc2136  -
old.example          202611       47h   draining    2026-11-26  -        bad 0m
lab.example          202605       600d  revoked     2026-11-26  bind     ok 3h
lab.example          202611       400d  active      -           bind     ok 3h
lab.example          202612       60m   publishing  -           bind     unseen
served.example       202611       2d    active      -           bind     seen 2d
theirs.example       -            -     not ours    -           bind     -
unknown.example      202611       -     ?           -           bind     -
`
	if got := inventory.Table(all, now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
