package dnsclient_test

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// world is a resolver on 127.0.0.1 that knows the zone example., whose only
// name server is 127.0.0.2, which answers as given.
func world(t *testing.T, parent func(r *dns.Msg) *dns.Msg) *dnsclient.Client {
	t.Helper()
	port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{"127.0.0.2": parent, "127.0.0.1": func(r *dns.Msg) *dns.Msg {
		switch q := r.Question[0]; {
		case q.Name == "example." && q.Qtype == dns.TypeSOA:
			return dnstest.Reply(t, r, dns.RcodeSuccess, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1")
		case q.Name == "example." && q.Qtype == dns.TypeNS:
			return dnstest.Reply(t, r, dns.RcodeSuccess, "example. 60 IN NS ns.example.")
		case q.Name == "ns.example." && q.Qtype == dns.TypeA:
			return dnstest.Reply(t, r, dns.RcodeSuccess, "ns.example. 60 IN A 127.0.0.2")
		case q.Name == "cut.example." && q.Qtype == dns.TypeNS:
			return dnstest.Reply(t, r, dns.RcodeSuccess, "cut.example. 60 IN NS ns.example.")
		default:
			return dnstest.Reply(t, r, dns.RcodeNameError)
		}
	}})
	c := client(net.JoinHostPort("127.0.0.1", port))
	c.Port = port
	return c
}

func referralTo(t *testing.T, r *dns.Msg, ns ...string) *dns.Msg {
	t.Helper()
	m := dnstest.Reply(t, r, dns.RcodeSuccess)
	m.Authoritative = false
	m.Ns = dnstest.RRs(t, ns...)
	return m
}

func TestDelegation(t *testing.T) {
	soa := "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1"
	var asked atomic.Int32
	for _, c := range []struct {
		name   string
		zone   string
		parent func(r *dns.Msg) *dns.Msg
		want   []string
		known  bool
		err    string
	}{
		{"delegated", "lab.example", func(r *dns.Msg) *dns.Msg {
			return referralTo(t, r, "lab.example. 60 IN NS NS2.lab.example.", "lab.example. 60 IN NS ns1.lab.example.")
		}, []string{"ns1.lab.example.", "ns2.lab.example."}, true, ""},
		{"name unknown to the parent", "lab.example", func(r *dns.Msg) *dns.Msg {
			m := dnstest.Reply(t, r, dns.RcodeNameError)
			m.Ns = dnstest.RRs(t, soa)
			return m
		}, nil, true, ""},
		{"name inside the parent zone", "lab.example", func(r *dns.Msg) *dns.Msg {
			m := dnstest.Reply(t, r, dns.RcodeSuccess)
			m.Ns = dnstest.RRs(t, soa)
			return m
		}, nil, true, ""},
		{"parent serves the zone itself", "lab.example", func(r *dns.Msg) *dns.Msg {
			return dnstest.Reply(t, r, dns.RcodeSuccess, "lab.example. 60 IN NS ns.example.")
		}, []string{"ns.example."}, true, ""},
		{"a cut in between", "deep.cut.example", func(r *dns.Msg) *dns.Msg {
			// The first answer is that of the upper zone, the next of the cut.
			if asked.Add(1) == 1 {
				return referralTo(t, r, "cut.example. 60 IN NS ns.example.")
			}
			return referralTo(t, r, "deep.cut.example. 60 IN NS ns.deep.example.")
		}, []string{"ns.deep.example."}, true, ""},
		{"parent refuses", "lab.example", func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeRefused) }, nil, false, "REFUSED"},
		{"parent is silent", "lab.example", func(*dns.Msg) *dns.Msg { return nil }, nil, false, "127.0.0.2"},
		{"lame parent", "lab.example", func(r *dns.Msg) *dns.Msg {
			return referralTo(t, r, ". 60 IN NS a.root.example.")
		}, nil, false, "not responsible"},
		{"parent not resolvable", "lab.other", func(*dns.Msg) *dns.Msg { return nil }, nil, false, "root"},
		{"root", ".", func(*dns.Msg) *dns.Msg { return nil }, nil, false, "no parent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, known, err := world(t, c.parent).Delegation(t.Context(), c.zone)
			if !slices.Equal(got, c.want) || known != c.known {
				t.Errorf("got %q, known %v; want %q, %v (error %v)", got, known, c.want, c.known, err)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}
