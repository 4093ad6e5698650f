package dnscheck_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

const (
	delegation = "_domainkey.lab.example. 60 IN NS mail.lab.example."
	elsewhere  = "_domainkey.lab.example. 60 IN NS ns1.vendor.example."
)

// delegatedLab are a resolver, two servers of lab.example of which each has the NS records in
// question, and the server of _domainkey.lab.example.
func delegatedLab(t *testing.T, first, second string) *dnsclient.Client {
	t.Helper()
	domain := []string{
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1800", "lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3", "mail.lab.example. 60 IN A 127.0.0.4",
	}
	keys := []string{
		"_domainkey.lab.example. 60 IN SOA mail.lab.example. h.lab.example. 8 1 1 1 900", delegation,
		`202611._domainkey.lab.example. 60 IN TXT "` + keyRecord[:200] + `" "` + keyRecord[200:] + `"`,
	}
	parent := func(ns string) func(*dns.Msg) *dns.Msg {
		zone := dnstest.Zones(t, domain)
		return func(r *dns.Msg) *dns.Msg {
			if ns == "" || !dns.IsSubDomain("_domainkey.lab.example.", r.Question[0].Name) {
				return zone(r)
			}
			m := dnstest.Reply(t, r, dns.RcodeSuccess)
			m.Authoritative, m.Ns = false, dnstest.RRs(t, ns)
			return m
		}
	}
	root := []string{"example. 60 IN SOA ns.example. h.example. 1 1 1 1 1"}
	port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{
		"127.0.0.1": dnstest.Zones(t, append(append(root, domain...), keys...)), "127.0.0.2": parent(first), "127.0.0.3": parent(second), "127.0.0.4": dnstest.Zones(t, keys),
	})
	c := client(net.JoinHostPort("127.0.0.1", port))
	c.Port = port
	return c
}

// The resolver of this machine has the zone of the keys whether or not the world finds it: a
// key is published once every server above leads there, and nobody remembers what either zone
// said before.
func TestObserveDelegatedKey(t *testing.T) {
	key := keyring.Key{Selector: "202611", Public: key2048}
	for _, c := range []struct{ name, first, second, says string }{
		{"both", delegation, delegation, ""},
		{"none", "", "", "ns1.lab.example (127.0.0.2): missing: _domainkey.lab.example is not delegated"},
		{"one is behind", delegation, "", "ns2.lab.example (127.0.0.3): another content than at ns1.lab.example under the same serial 8 (missing"},
		{"one leads elsewhere", elsewhere, delegation, "ns1.vendor.example: its name has no address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := dnscheck.ObserveKey(t.Context(), delegatedLab(t, c.first, c.second), "lab.example", 60, key)
			if c.says == "" && got != (keyring.Observation{Published: true, MaxCacheTTL: 30 * time.Minute}) {
				t.Errorf("%+v", got)
			}
			if c.says != "" && (got.Published || !strings.HasPrefix(got.Problem, c.says)) {
				t.Errorf("%+v\nwant %s", got, c.says)
			}
		})
	}
}

// The NS records that somebody publishes are asked of the zone above.
func TestCheckDelegation(t *testing.T) {
	want := dnscheck.ForDomain("lab.example", []state.Record{{Name: "_domainkey.lab.example.", Type: "NS", TTL: 60, Value: "mail.lab.example."}}, nil, false)
	for _, c := range []struct {
		name, ns string
		ok       bool
		text     string
	}{
		{"there", delegation, true, ""},
		{"missing", "", false, "missing: _domainkey.lab.example is not delegated, so nobody finds the keys that are only here"},
		{"elsewhere", elsewhere, false, "_domainkey.lab.example is delegated to "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dnscheck.Check(t.Context(), delegatedLab(t, c.ns, c.ns), want, dnscheck.Result{})
			if r.OK() != c.ok || len(r.Servers) != 2 {
				t.Fatalf("%+v", r)
			}
			if got := r.Servers[0].Records[0].Text; c.text != "" && !strings.HasPrefix(got, c.text) || c.text == "" && got != "" {
				t.Errorf("%q", got)
			}
		})
	}
}
