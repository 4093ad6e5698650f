package dnsclient_test

import (
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// A zone that only this network knows says nothing of what the world sees: that is what
// the zone above it has, which delegates it to nobody.
func TestLookupAuthoritativeBesideACopyOfOnesOwn(t *testing.T) {
	const ptr = "10.2.0.192.in-addr.arpa. 60 IN PTR "
	head := func(zone string) []string {
		return []string{zone + " 60 IN SOA ns.example. h.example. 1 1 1 1 1", zone + " 60 IN NS ns.example."}
	}
	above := append(head("in-addr.arpa."), "ns.example. 60 IN A 127.0.0.2")
	local := append(head("2.0.192.in-addr.arpa."), ptr+"made-up.example.")
	for _, c := range []struct {
		name   string
		world  []string
		status dnsclient.Status
		want   string
	}{
		{"nothing", above, dnsclient.NXDomain, ""},
		{"a PTR", append(above, ptr+"mail.example."), dnsclient.Found, "mail.example."},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{
				"127.0.0.1": dnstest.Zones(t, append(append(head("example."), local...), above...)), "127.0.0.2": dnstest.Zones(t, c.world),
			})
			client := dnsclient.New("127.0.0.1:" + port)
			client.Port = port
			records, status, err := client.LookupAuthoritative(t.Context(), "10.2.0.192.in-addr.arpa.", "PTR")
			got := ""
			if len(records) > 0 {
				got = records[0].Value
			}
			if err != nil || status != c.status || got != c.want {
				t.Errorf("%q, %v, %v; want %q, %v", got, status, err, c.want, c.status)
			}
			if records, _, err := client.Lookup(t.Context(), "10.2.0.192.in-addr.arpa.", "PTR"); err != nil || records[0].Value != "made-up.example." {
				t.Errorf("the resolver says %v, %v", records, err)
			}
		})
	}
}
