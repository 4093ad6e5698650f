package dnsclient_test

import (
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient/dnstest"
)

func TestZoneOf(t *testing.T) {
	soa := "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1"
	whole := dnstest.Serve(t, "127.0.0.1", dnstest.Zone(t,
		soa, "alias.lab.example. 60 IN CNAME x.elsewhere.example.", "www.lab.example. 60 IN A 192.0.2.80",
	))
	// dnsmasq answers from its cache without the SOA.
	forgetful := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := dnstest.Zone(t, soa)(r)
		m.Ns = nil
		return m
	})
	for _, server := range []string{whole, forgetful} {
		for _, name := range []string{"lab.example.", "www.lab.example", "alias.lab.example.", "x.y.lab.example."} {
			if zone, err := client(server).ZoneOf(t.Context(), name); zone != "lab.example." || err != nil {
				t.Errorf("%s: %q, %v", name, zone, err)
			}
		}
	}
}
