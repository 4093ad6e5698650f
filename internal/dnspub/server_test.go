package dnspub

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serve starts a name server on a loopback address, over UDP and TCP, and
// returns where it listens. Port "0" takes a free one.
func serve(t *testing.T, host, port string, answer func(r *dns.Msg) *dns.Msg) string {
	t.Helper()
	packets, listener := listen(t, host, port)
	addr := packets.LocalAddr().String()
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
	return addr
}

// listen takes a port for UDP and TCP. One that is free for the first may be
// in use for the second.
func listen(t *testing.T, host, port string) (net.PacketConn, net.Listener) {
	t.Helper()
	for tries := 1; ; tries++ {
		packets, err := net.ListenPacket("udp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		_ = packets.Close()
		if port != "0" || tries == 10 {
			t.Fatal(err)
		}
	}
}

// reply builds an answer with authority from records in zone file syntax.
func reply(t *testing.T, r *dns.Msg, rcode int, answer ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetRcode(r, rcode)
	m.Authoritative = true
	m.Answer = rrs(t, answer...)
	return m
}

func rrs(t *testing.T, texts ...string) []dns.RR {
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

// zoneServer answers like a server that is responsible for example.org, from
// records in zone file syntax that may change while it runs.
func zoneServer(t *testing.T, records func() []string) string {
	t.Helper()
	return serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		if !dns.IsSubDomain("example.org.", q.Name) {
			m := new(dns.Msg).SetRcode(r, dns.RcodeRefused)
			return m
		}
		m := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
		m.Authoritative = true
		for _, rr := range rrs(t, records()...) {
			if dns.CanonicalName(rr.Header().Name) != dns.CanonicalName(q.Name) {
				continue
			}
			m.Rcode = dns.RcodeSuccess
			if rr.Header().Rrtype == q.Qtype || rr.Header().Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
		return m
	})
}

// client returns a Client of the servers that does not wait long.
func client(servers ...string) *Client {
	c := New(servers...)
	c.timeout = 200 * time.Millisecond
	return c
}
