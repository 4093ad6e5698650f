package dnscheck_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient/dnstest"
)

// Where all name servers have the records, the resolver may still have what it was told
// before, and says for how long.
func TestAskResolver(t *testing.T) {
	good := dnstest.Zone(t, zone("8", goodDMARC)...)
	apex := []string{
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
	}
	now := time.Date(2026, 11, 30, 21, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		resolver []string
		answers  func(m *dns.Msg)
		want     string
	}{
		"nothing old": {resolver: zone("8", goodDMARC, apex...)},
		"the policy before": {
			resolver: zone("8", `TXT "v=DMARC1; p=reject"`, apex...), answers: func(m *dns.Msg) { m.Answer[0].Header().Ttl = 1800 },
			want: "The resolver of this machine still has an earlier answer for _dmarc.lab.example TXT, until 21:30 UTC at the latest. Others that asked before may have one as well, for as long.",
		},
		"no policy": {
			resolver: zone("8", "A 192.0.2.1", apex...), answers: func(m *dns.Msg) { m.Answer, m.Ns = nil, soa(t, 2700) },
			want: "The resolver of this machine still has an earlier answer for _dmarc.lab.example TXT, until 21:45 UTC at the latest. Others that asked before may have one as well, for as long.",
		},
		"it fails": {
			resolver: zone("8", goodDMARC, apex...), answers: func(m *dns.Msg) { m.Answer, m.Rcode = nil, dns.RcodeServerFailure },
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := dnstest.Zone(t, c.resolver...)
			client := serve(t, func(r *dns.Msg) *dns.Msg {
				m := from(r)
				if c.answers != nil && r.Question[0].Name == "_dmarc.lab.example." && r.Question[0].Qtype == dns.TypeTXT {
					c.answers(m)
				}
				return m
			}, good, good)
			v := dnscheck.Check(t.Context(), client, policies(), dnscheck.Result{})
			if !v.OK() {
				t.Fatal(told(v))
			}
			if got := dnscheck.AskResolver(t.Context(), client, v).Text(now); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func soa(t *testing.T, ttl uint32) []dns.RR {
	t.Helper()
	rr, err := dns.NewRR("lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1")
	if err != nil {
		t.Fatal(err)
	}
	rr.Header().Ttl = ttl
	return []dns.RR{rr}
}
