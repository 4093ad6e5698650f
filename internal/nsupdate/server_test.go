package nsupdate_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/dnsname"
)

const (
	testKey    = "update.example."
	testSecret = "bm90IGEgc2VjcmV0IGF0IGFsbCwganVzdCBhIHRlc3Q="
)

// primary is a name server with the zone example.org that takes updates by the
// rules of RFC 2136 section 3, written from the text.
type primary struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	zone    []dns.RR
	updates []*dns.Msg
	// reply, if set, may change what is answered to an update, nil for nothing.
	reply func(w dns.ResponseWriter, r, m *dns.Msg) *dns.Msg
	// refer is a name that the zone delegates.
	refer string
	// before is called when an update has come, before it is looked at.
	before func()
	// conns counts connections that were made.
	conns atomic.Int64
}

func newPrimary(t *testing.T, records ...string) *primary {
	t.Helper()
	p := &primary{t: t, zone: dnstest.RRs(t, append([]string{
		"example.org. 3600 IN SOA ns.example.org. hostmaster.example.org. 1 7200 3600 1209600 300",
		"example.org. 3600 IN NS ns.example.org.",
	}, records...)...)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{
		Listener: counted{listener, &p.conns}, TsigSecret: map[string]string{testKey: testSecret}, Handler: p,
		MsgAcceptFunc:     func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		NotifyStartedFunc: func() { close(started) },
	}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	p.addr = listener.Addr().String()
	return p
}

// ServeDNS implements dns.Handler.
func (p *primary) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := new(dns.Msg).SetReply(r)
	t := r.IsTsig()
	switch {
	case t == nil:
		m.Rcode = dns.RcodeRefused
	case w.TsigStatus() != nil:
		m.Rcode = dns.RcodeNotAuth
		reason := uint16(dns.RcodeBadSig)
		if t.Hdr.Name != testKey {
			reason = dns.RcodeBadKey
		}
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix())
		m.IsTsig().Error = reason
	default:
		p.answer(r, m)
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix())
	}
	if p.reply != nil && r.Opcode == dns.OpcodeUpdate {
		if m = p.reply(w, r, m); m == nil {
			return
		}
	}
	_ = w.WriteMsg(m)
}

func (p *primary) answer(r, m *dns.Msg) {
	name := dns.CanonicalName(r.Question[0].Name)
	switch {
	case r.Opcode == dns.OpcodeUpdate:
		if p.before != nil {
			p.before()
		}
		p.updates = append(p.updates, r.Copy())
		m.Rcode = p.update(r)
	case !dns.IsSubDomain("example.org.", name):
		m.Rcode = dns.RcodeRefused
	case p.refer != "" && dns.IsSubDomain(p.refer, name):
		m.Ns = dnstest.RRs(p.t, p.refer+" 60 IN NS ns.example.net.")
	default:
		m.Authoritative, m.Rcode = true, dns.RcodeNameError
		source := p.source(name)
		for _, rr := range p.zone {
			if !dns.IsSubDomain(source, rr.Header().Name) {
				continue
			}
			m.Rcode = dns.RcodeSuccess
			if dns.CanonicalName(rr.Header().Name) == source && (rr.Header().Rrtype == r.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME) {
				rr = dns.Copy(rr)
				rr.Header().Name = name
				m.Answer = append(m.Answer, rr)
			}
		}
		if len(m.Answer) == 0 {
			m.Ns = p.zone[:1]
		}
	}
}

// source is the name whose records answer for a name: its own where it exists,
// else the wildcard of the closest one above that does (RFC 4592 section 3.3.1).
func (p *primary) source(name string) string {
	for at := name; ; at = dnsname.Parent(at) {
		if !slices.ContainsFunc(p.zone, func(rr dns.RR) bool { return dns.IsSubDomain(at, rr.Header().Name) }) {
			continue
		}
		if at == name {
			return name
		}
		return "*." + at
	}
}

// update is section 3.2 and 3.4 for the forms that are sent here.
func (p *primary) update(r *dns.Msg) int {
	if r.Question[0].Name != "example.org." || r.Question[0].Qtype != dns.TypeSOA {
		return dns.RcodeNotAuth
	}
	wanted := map[[2]any][]dns.RR{}
	for _, rr := range r.Answer {
		h := rr.Header()
		there := p.rrset(h.Name, h.Rrtype)
		switch {
		case h.Ttl != 0:
			return dns.RcodeFormatError
		case h.Class == dns.ClassANY && h.Rrtype == dns.TypeANY:
			if !slices.ContainsFunc(p.zone, func(x dns.RR) bool { return dns.CanonicalName(x.Header().Name) == dns.CanonicalName(h.Name) }) {
				return dns.RcodeNameError
			}
		case h.Class == dns.ClassNONE && len(there) > 0:
			return dns.RcodeYXRrset
		case h.Class == dns.ClassINET:
			id := [2]any{dns.CanonicalName(h.Name), h.Rrtype}
			wanted[id] = append(wanted[id], rr)
		}
	}
	for _, set := range wanted {
		there := p.rrset(set[0].Header().Name, set[0].Header().Rrtype)
		if len(there) != len(set) || slices.ContainsFunc(set, func(rr dns.RR) bool { return !has(there, rr) }) {
			return dns.RcodeNXRrset
		}
	}
	for _, rr := range r.Ns {
		switch rr.Header().Class {
		case dns.ClassNONE:
			p.zone = slices.DeleteFunc(p.zone, func(x dns.RR) bool { return has([]dns.RR{x}, rr) })
		case dns.ClassINET:
			p.zone = append(slices.DeleteFunc(p.zone, func(x dns.RR) bool { return has([]dns.RR{x}, rr) }), rr)
		default:
			return dns.RcodeFormatError
		}
	}
	return dns.RcodeSuccess
}

func (p *primary) rrset(name string, kind uint16) []dns.RR {
	var set []dns.RR
	for _, rr := range p.zone {
		if rr.Header().Rrtype == kind && dns.CanonicalName(rr.Header().Name) == dns.CanonicalName(name) {
			set = append(set, rr)
		}
	}
	return set
}

// has compares names, types and data as they are on the wire.
func has(list []dns.RR, rr dns.RR) bool {
	return slices.ContainsFunc(list, func(x dns.RR) bool {
		a, b := dns.Copy(x), dns.Copy(rr)
		a.Header().Class, b.Header().Class = dns.ClassINET, dns.ClassINET
		return dns.IsDuplicate(a, b)
	})
}

// texts is the zone, without SOA and NS.
func (p *primary) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, rr := range p.zone[2:] {
		list = append(list, rr.String())
	}
	slices.Sort(list)
	return list
}

// A primary is found by what DNS says: /etc/hosts, which knows localhost on every
// machine, has no say.
func TestPrimaryIsFoundInDNS(t *testing.T) {
	p := newPrimary(t)
	_, port, _ := net.SplitHostPort(p.addr)
	r := client(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if q := r.Question[0]; q.Name == "ns.example." && q.Qtype == dns.TypeA {
			return dnstest.Reply(t, r, dns.RcodeSuccess, "ns.example. 60 IN A 127.0.0.1")
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess)
	}))
	for server, want := range map[string]string{
		"ns.example:" + port: "", p.addr: "", "localhost:" + port: "localhost has no address in DNS",
	} {
		ask, key := testPrimaries(t, r)
		origin, _, err := ask.Zone(t.Context(), server, key, "www.example.org.")
		if want == "" && (err != nil || origin != "example.org.") {
			t.Errorf("%s: %q, %v", server, origin, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", server, err, want)
		}
	}
}

// client returns a client of the servers that does not wait long.
func client(servers ...string) *dnsclient.Client {
	c := dnsclient.New(servers...)
	c.Timeout = 200 * time.Millisecond
	return c
}

// counted is a listener that counts connections.
type counted struct {
	net.Listener
	n *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}
