package dnsclient_test

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// Behind NAT the public address of this machine leads nowhere from here. Its name server
// is asked where it listens; if that is not in charge of the zone, nothing is known of
// the one that is meant.
func TestNameServerBehindNAT(t *testing.T) {
	c := dnsclient.New("127.0.0.1:1")
	public := dnsclient.NameServer{Name: "ns.lab.example", Address: "192.0.2.10:53"}
	c.Behind = map[netip.Addr]string{netip.MustParseAddr("192.0.2.10"): dnstest.Serve(t, "127.0.0.1",
		dnstest.Zone(t, "lab.example. 60 IN SOA ns h 7 1 1 1 1", `lab.example. 60 IN TXT "here"`))}
	m, wrong := c.Ask(t.Context(), public, "lab.example.", "lab.example.", dns.TypeTXT)
	if !wrong.OK() || len(m.Answer) != 1 {
		t.Errorf("%+v %v", wrong, m)
	}
	c.Behind = map[netip.Addr]string{netip.MustParseAddr("192.0.2.10"): dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		refused := new(dns.Msg)
		return refused.SetRcode(r, dns.RcodeRefused)
	})}
	if _, wrong = c.Ask(t.Context(), public, "lab.example.", "lab.example.", dns.TypeTXT); wrong.Fault != dnsclient.NotAsked {
		t.Errorf("%+v, want %q", wrong, dnsclient.NotAsked)
	}
}
