// Package dnstest runs name servers on loopback addresses for tests.
package dnstest

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Serve starts a name server on a free port of a loopback address, over UDP and TCP, and
// returns where it listens.
func Serve(t testing.TB, host string, answer func(r *dns.Msg) *dns.Msg) string {
	t.Helper()
	return net.JoinHostPort(host, ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{host: answer}))
}

// ServeAll starts name servers on several loopback addresses and one port, which it
// returns. A port that is free on one of them may belong to another test on the next, for as
// long as that runs: then it takes another.
func ServeAll(t testing.TB, servers map[string]func(r *dns.Msg) *dns.Msg) (port string) {
	t.Helper()
	for tries := 1; ; tries++ {
		port, err := "0", error(nil)
		for host, answer := range servers {
			at := ""
			if at, err = serve(t, host, port, answer); err != nil {
				break
			}
			_, port, _ = net.SplitHostPort(at)
		}
		if err == nil {
			return port
		}
		if tries == 100 {
			t.Fatal(err)
		}
	}
}

func serve(t testing.TB, host, port string, answer func(r *dns.Msg) *dns.Msg) (string, error) {
	t.Helper()
	// A port that is free for UDP may be in use for TCP.
	packets, err := net.ListenPacket("udp", net.JoinHostPort(host, port))
	if err != nil {
		return "", err
	}
	addr := packets.LocalAddr().String()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		_ = packets.Close()
		return "", err
	}
	handler := func(truncate bool) dns.HandlerFunc {
		return func(w dns.ResponseWriter, r *dns.Msg) {
			m := answer(r)
			if m == nil {
				return
			}
			if truncate && m.Len() > 1232 {
				m.Truncated, m.Answer = true, nil
			}
			_ = w.WriteMsg(m)
		}
	}
	for _, s := range []*dns.Server{
		{PacketConn: packets, Handler: handler(true)},
		{Listener: listener, Handler: handler(false)},
	} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return addr, nil
}

// Reply builds an answer with authority from records in zone file syntax.
func Reply(t testing.TB, r *dns.Msg, rcode int, answer ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetRcode(r, rcode)
	m.Authoritative = true
	m.Answer = RRs(t, answer...)
	return m
}

// RRs parses records in zone file syntax.
func RRs(t testing.TB, texts ...string) []dns.RR {
	t.Helper()
	var out []dns.RR
	for _, text := range texts {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rr)
	}
	return out
}

// Zone returns the answers of a server in charge of one zone, from its records in
// zone file syntax.
func Zone(t testing.TB, records ...string) func(r *dns.Msg) *dns.Msg {
	t.Helper()
	return ZoneFunc(t, func() []string { return records })
}

// ZoneFunc is Zone for records that may change while the server runs.
func ZoneFunc(t testing.TB, records func() []string) func(r *dns.Msg) *dns.Msg {
	t.Helper()
	return func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		m := Reply(t, r, dns.RcodeNameError)
		for _, rr := range RRs(t, records()...) {
			switch h := rr.Header(); {
			case h.Rrtype == dns.TypeSOA && q.Qtype != dns.TypeSOA:
				m.Ns = append(m.Ns, rr)
			case dns.CanonicalName(h.Name) != dns.CanonicalName(q.Name):
				if dns.IsSubDomain(q.Name, h.Name) {
					m.Rcode = dns.RcodeSuccess
				}
			case h.Rrtype == q.Qtype || h.Rrtype == dns.TypeCNAME:
				m.Rcode, m.Answer = dns.RcodeSuccess, append(m.Answer, rr)
			default:
				m.Rcode = dns.RcodeSuccess
			}
		}
		return m
	}
}

// Zones returns the answers of a server in charge of the zones whose SOA is among the
// records, and that follows aliases as far as it has records. It refuses other names.
func Zones(t testing.TB, records []string) func(r *dns.Msg) *dns.Msg {
	t.Helper()
	rrs := RRs(t, records...)
	return func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		m := Reply(t, r, dns.RcodeRefused)
		m.Authoritative = false
		for _, rr := range rrs {
			soa := rr.Header()
			if soa.Rrtype != dns.TypeSOA || !dns.IsSubDomain(soa.Name, q.Name) || m.Authoritative && dns.CountLabel(m.Ns[0].Header().Name) > dns.CountLabel(soa.Name) {
				continue
			}
			m.Authoritative, m.Rcode, m.Ns = true, dns.RcodeNameError, []dns.RR{rr}
		}
		if !m.Authoritative {
			return m
		}
		for at := q.Name; at != "" && len(m.Answer) < len(rrs); {
			next := ""
			for _, rr := range rrs {
				h := rr.Header()
				switch {
				case !strings.EqualFold(h.Name, at):
					if dns.IsSubDomain(at, h.Name) {
						m.Rcode = dns.RcodeSuccess
					}
				case h.Rrtype == q.Qtype:
					m.Rcode, m.Answer = dns.RcodeSuccess, append(m.Answer, rr)
				case h.Rrtype == dns.TypeCNAME:
					m.Rcode, m.Answer, next = dns.RcodeSuccess, append(m.Answer, rr), rr.(*dns.CNAME).Target
				default:
					m.Rcode = dns.RcodeSuccess
				}
			}
			at = next
		}
		if len(m.Answer) > 0 {
			m.Ns = nil
		}
		return m
	}
}
