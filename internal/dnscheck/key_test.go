package dnscheck_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
)

// A key counts as published once every server in charge and the resolver have its
// record, and nothing else in the same place. How long others may remember that it
// was not there is the larger of its TTL and of the zone's negative TTL.
func TestObserveKey(t *testing.T) {
	key := keyring.Key{Selector: "202611", Public: key2048}
	apex := []string{
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 900",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
	}
	txt := func(value string) string {
		return "202611._domainkey.lab.example. 60 IN TXT \"" + value[:min(200, len(value))] + "\" \"" + value[min(200, len(value)):] + "\""
	}
	with := func(more ...string) func(*dns.Msg) *dns.Msg { return dnstest.Zone(t, append(apex[:5:5], more...)...) }
	ours, other := with(txt(keyRecord)), with(txt("v=DKIM1; p="+key1024))
	silent := func(*dns.Msg) *dns.Msg { return nil }
	for _, c := range []struct {
		name               string
		resolver, ns1, ns2 func(*dns.Msg) *dns.Msg
		ttl                uint32
		want               keyring.Observation
	}{
		{"everywhere, negative TTL", ours, ours, ours, 300, keyring.Observation{Published: true, MaxCacheTTL: 15 * time.Minute}},
		{"everywhere, TTL of the record", ours, ours, ours, 3600, keyring.Observation{Published: true, MaxCacheTTL: time.Hour}},
		{"one server lacks it", ours, ours, with(), 300, keyring.Observation{Problem: "ns2.lab.example (127.0.0.3): another content than at ns1.lab.example under the same serial 8 (missing)"}},
		{"one server is silent", ours, ours, silent, 300, keyring.Observation{Problem: "ns2.lab.example (127.0.0.3): it does not answer: nothing came within 200ms"}},
		{"the resolver remembers that it was missing", with(), ours, ours, 300, keyring.Observation{
			Problem: "the resolver of this machine has 0 records at the name; it may remember an older answer for a while",
		}},
		{"the resolver has another", other, ours, ours, 300, keyring.Observation{Problem: "the resolver of this machine has another key"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dns := serve(t, c.resolver, c.ns1, c.ns2)
			if got := dnscheck.ObserveKey(t.Context(), dns, "lab.example", c.ttl, key); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// Without a negative TTL nobody knows for how long to wait.
func TestObserveKeyOfAZoneWithoutSOA(t *testing.T) {
	key := keyring.Key{Selector: "202611", Public: key1024}
	zone := dnstest.Zone(t, "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 900", "lab.example. 60 IN NS ns1.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", `202611._domainkey.lab.example. 60 IN TXT "v=DKIM1; p=`+key1024+`"`)
	c := serve(t, func(r *dns.Msg) *dns.Msg {
		m := zone(r)
		if r.Question[0].Qtype == dns.TypeSOA {
			m.Answer = nil
		}
		return m
	}, zone, zone)
	got := dnscheck.ObserveKey(t.Context(), c, "lab.example", 300, key)
	if want := "how long lab.example lets others remember that a record is missing is not known: <nil>"; got.Published || got.Problem != want {
		t.Errorf("%+v, want %q", got, want)
	}
}

func TestObserveKeyOfADomainWithoutServers(t *testing.T) {
	got := dnscheck.ObserveKey(t.Context(), client("127.0.0.1:1"), "lab.example", 300, keyring.Key{Selector: "202611", Public: key1024})
	if got.Published || got.Problem == "" {
		t.Errorf("%+v of a domain of which nobody can be asked", got)
	}
}
