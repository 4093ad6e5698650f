package dnstest

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
)

// Lab is what a resolver and the two name servers of the zone lab.example have: records in
// zone file syntax, beside SOA and NS.
type Lab struct {
	Resolver, First, Second []string
	// Fails is a name for which the resolver answers SERVFAIL, "" for none.
	Fails string
	// FirstSilent and SecondSilent: that name server answers nobody.
	FirstSilent, SecondSilent bool
	// Transferred is when the second name server gets what the first one has; zero for never.
	Transferred time.Time
}

// Client serves the lab, and returns a client that asks the resolver. The second name
// server has an older serial where it has other records.
func (l Lab) Client(t testing.TB) *dnsclient.Client {
	t.Helper()
	soa := "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1"
	older := soa
	if !slices.Equal(l.First, l.Second) {
		older = strings.Replace(soa, " 8 ", " 7 ", 1)
	}
	recursive := Zone(t, append([]string{
		soa, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1", "lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
	}, l.Resolver...)...)
	serves := func(soa string, records []string, silent bool) func(r *dns.Msg) *dns.Msg {
		zone := Zone(t, append(slices.Clone(records), soa)...)
		return func(r *dns.Msg) *dns.Msg {
			if silent {
				return nil
			}
			return zone(r)
		}
	}
	first := serves(soa, l.First, l.FirstSilent)
	second := serves(older, l.Second, l.SecondSilent)
	port := ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{
		"127.0.0.1": func(r *dns.Msg) *dns.Msg {
			if l.Fails != "" && strings.EqualFold(r.Question[0].Name, l.Fails) {
				return Reply(t, r, dns.RcodeServerFailure)
			}
			return recursive(r)
		},
		"127.0.0.2": first,
		"127.0.0.3": func(r *dns.Msg) *dns.Msg {
			if !l.Transferred.IsZero() && time.Now().After(l.Transferred) {
				return first(r)
			}
			return second(r)
		},
	})
	c := dnsclient.New(net.JoinHostPort("127.0.0.1", port)).WithCache()
	c.Port, c.Timeout = port, 300*time.Millisecond
	return c
}
