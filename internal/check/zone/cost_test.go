package zone_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// What many domains have in common is asked once: a domain on the same name server as
// thousands of others costs a dozen questions.
func TestQuestionsForManyDomains(t *testing.T) {
	var asked atomic.Int64
	answer := func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		m := new(dns.Msg).SetReply(r)
		m.Authoritative = true
		q := r.Question[0]
		rr := func(text string) { m.Answer = append(m.Answer, dnstest.RRs(t, q.Name+" 60 IN "+text)...) }
		labels := dns.CountLabel(q.Name)
		switch {
		case q.Qtype == dns.TypeSOA && (labels == 2 || labels == 1):
			rr("SOA mail.host.example. h.host.example. 8 3600 900 604800 60")
		case q.Qtype == dns.TypeNS && labels <= 2:
			rr("NS mail.host.example.")
		case q.Qtype == dns.TypeMX && labels == 2:
			rr("MX 10 mail.host.example.")
		case q.Qtype == dns.TypeA && q.Name == "mail.host.example.":
			rr("A 127.0.0.2")
		case labels > 2 && q.Name != "mail.host.example." && dns.SplitDomainName(q.Name)[0] != "_domainkey":
			m.Rcode = dns.RcodeNameError
		}
		if len(m.Answer) == 0 {
			names := dns.SplitDomainName(q.Name)
			m.Ns = dnstest.RRs(t, names[len(names)-2]+".example. 60 IN SOA mail.host.example. h.host.example. 8 3600 900 604800 60")
		}
		return m
	}
	resolver := dnstest.Serve(t, "127.0.0.1", "0", answer)
	_, port, _ := net.SplitHostPort(resolver)
	dnstest.Serve(t, "127.0.0.2", port, answer)
	client := dnsclient.New(resolver)
	client.Port = port
	k := zone.New(client.WithCache())
	check := func(from, to int) int64 {
		before := asked.Load()
		var wg sync.WaitGroup
		for i := from; i < to; i++ {
			wg.Go(func() {
				d := domain()
				d.Name = fmt.Sprintf("d%d.example", i)
				if r := k.Check(t.Context(), server(), d); len(r.Findings) < 9 {
					t.Errorf("%s: %+v", d.Name, r.Findings)
				}
			})
		}
		wg.Wait()
		return asked.Load() - before
	}
	check(0, 1)
	begun := time.Now()
	const n = 200
	if got := check(1, n+1); got > 12*n {
		t.Errorf("%d questions for %d domains", got, n)
	} else {
		t.Logf("%d questions for %d domains in %v", got, n, time.Since(begun))
	}
}
