package dnscheck_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
)

// slotServers are the records that three servers have: a resolver that answers from both
// zones, that of a provider, and that of the slot zone.
type slotServers struct{ resolver, provider, ours []string }

// in serves them, and returns what is seen of a key.
func (s slotServers) observe(t *testing.T, k keyring.Key) keyring.Observation {
	t.Helper()
	root := []string{"example. 60 IN SOA ns.example. h.example. 1 1 1 1 1"}
	domain := []string{
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 900", "lab.example. 60 IN NS ns1.lab.example.", "ns1.lab.example. 60 IN A 127.0.0.2",
	}
	slots := []string{
		"dkim.ours.example. 60 IN SOA ns1.ours.example. h.ours.example. 8 1 1 1 1800", "dkim.ours.example. 60 IN NS ns1.ours.example.", "ns1.ours.example. 60 IN A 127.0.0.3",
	}
	serves := func(lists ...[]string) func(*dns.Msg) *dns.Msg { return dnstest.Zones(t, slices.Concat(lists...)) }
	c := serve(t, serves(root, domain, slots, s.resolver), serves(domain, s.provider), serves(slots, s.ours))
	return dnscheck.ObserveKey(t.Context(), c, "lab.example", 300, k)
}

func slotText(name, ttl, public string) string {
	return name + " " + ttl + ` IN TXT "v=DKIM1; h=sha256; k=rsa; p=` + public[:len(public)/2] + `" "` + public[len(public)/2:] + `"`
}

// The key of a slot is published once both zones lead to it everywhere, by the CNAME or by a
// copy; how long others may remember what was there before follows from both zones.
func TestObserveSlot(t *testing.T) {
	const owner, target = "mx1._domainkey.lab.example.", "mx1._domainkey.lab.example.dkim.ours.example."
	const alias = owner + " 60 IN CNAME " + target
	key := keyring.Key{Selector: "mx1", Public: key2048, SlotZone: "dkim.ours.example", Stage: keyring.Publishing}
	revoked := key
	revoked.Stage = keyring.Revoked
	ours, empty := slotText(target, "300", key2048), slotText(target, "300", "")
	all := func(records ...string) []string { return records }
	seen := func(d time.Duration) keyring.Observation {
		return keyring.Observation{Published: true, MaxCacheTTL: d}
	}
	for _, tt := range []struct {
		name string
		key  keyring.Key
		slotServers
		want keyring.Observation
		says string
	}{
		{"both zones, the negative TTL of ours", key, slotServers{all(alias, ours), all(alias), all(ours)}, seen(30 * time.Minute), ""},
		{"a CNAME with a long TTL", key, slotServers{all(alias, ours), all(strings.Replace(alias, " 60 ", " 86400 ", 1)), all(ours)}, seen(24 * time.Hour), ""},
		{"our server has the empty p= still", key, slotServers{all(alias, empty), all(alias), all(empty)}, keyring.Observation{}, "ns1.ours.example (127.0.0.3): the key is revoked there: p= is empty"},
		{"no CNAME", key, slotServers{all(ours), nil, all(ours)}, keyring.Observation{}, "its CNAME: ns1.lab.example (127.0.0.2): missing"},
		{"the CNAME leads elsewhere", key, slotServers{all(owner+" 60 IN CNAME mx1.other.example.", ours), all(owner + " 60 IN CNAME mx1.other.example."), all(ours)}, keyring.Observation{}, "its CNAME: ns1.lab.example"},
		{"the resolver remembers the key before", key, slotServers{all(slotText(owner, "300", key1024), ours), all(alias), all(ours)}, keyring.Observation{}, "the resolver of this machine has another key"},
		{"the provider has a copy", key, slotServers{all(slotText(owner, "60", key2048), ours), all(slotText(owner, "60", key2048)), all(ours)}, seen(24 * time.Hour), ""},
		{"the provider has an old copy", key, slotServers{all(slotText(owner, "60", key1024), ours), all(slotText(owner, "60", key1024)), all(ours)}, keyring.Observation{}, "its CNAME: ns1.lab.example (127.0.0.2): another key is there"},
		{"revoked everywhere", revoked, slotServers{all(alias, empty), all(alias), all(empty)}, seen(30 * time.Minute), ""},
		{"revoked, and our server has the key", revoked, slotServers{all(alias, ours), all(alias), all(ours)}, keyring.Observation{}, "ns1.ours.example (127.0.0.3): another key is there"},
		{"revoked, and the provider has a copy of the key", revoked, slotServers{all(slotText(owner, "60", key2048), empty), all(slotText(owner, "60", key2048)), all(empty)}, keyring.Observation{}, "its CNAME: ns1.lab.example (127.0.0.2)"},
		{"revoked, and the resolver remembers the key", revoked, slotServers{all(slotText(owner, "60", key2048), empty), all(alias), all(empty)}, keyring.Observation{}, "the resolver of this machine has another key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.observe(t, tt.key)
			if tt.says != "" && (got.Published || got.Alias != strings.HasPrefix(tt.says, "its CNAME") || !strings.HasPrefix(got.Problem, tt.says)) || tt.says == "" && got != tt.want {
				t.Errorf("got  %+v\nwant %+v %s", got, tt.want, tt.says)
			}
		})
	}
}
