package zone_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// manyZones answers for all domains of example., whose name servers are those given.
func manyZones(t *testing.T, asked *atomic.Int64, servers ...string) answers {
	return func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		m := new(dns.Msg).SetReply(r)
		m.Authoritative = true
		q := r.Question[0]
		rr := func(text string) { m.Answer = append(m.Answer, dnstest.RRs(t, q.Name+" 60 IN "+text)...) }
		labels := dns.CountLabel(q.Name)
		switch {
		case q.Qtype == dns.TypeSOA && (labels == 2 || labels == 1):
			rr("SOA mail.host.example. h.host.example. 8 3600 900 604800 60")
		case q.Qtype == dns.TypeNS && labels == 1:
			rr("NS ns0.host.example.")
		case q.Qtype == dns.TypeNS && labels == 2:
			for i := range servers {
				rr(fmt.Sprintf("NS ns%d.host.example.", i))
			}
		case q.Qtype == dns.TypeMX && labels == 2:
			rr("MX 10 mail.host.example.")
		case q.Name == "mail.host.example." && q.Qtype == dns.TypeA:
			rr("A 192.0.2.10")
		case strings.HasSuffix(q.Name, ".host.example."):
			var i int
			if _, err := fmt.Sscanf(q.Name, "ns%d.", &i); err == nil && q.Qtype == dns.TypeA {
				rr("A " + servers[i])
			}
		case labels > 2 && dns.SplitDomainName(q.Name)[0] != "_domainkey":
			m.Rcode = dns.RcodeNameError
		}
		if len(m.Answer) == 0 {
			names := dns.SplitDomainName(q.Name)
			m.Ns = dnstest.RRs(t, names[len(names)-2]+".example. 60 IN SOA mail.host.example. h.host.example. 8 3600 900 604800 60")
		}
		return m
	}
}

// manyDomains returns a Checker of such a world, in which the servers after the first are
// silent.
func manyDomains(t *testing.T, asked *atomic.Int64, timeout time.Duration, servers ...string) *zone.Checker {
	t.Helper()
	answer := manyZones(t, asked, servers...)
	all := map[string]answers{"127.0.0.1": answer}
	for i, s := range servers {
		if i > 0 {
			answer = func(*dns.Msg) *dns.Msg { return nil }
		}
		all[s] = answer
	}
	port := dnstest.ServeAll(t, all)
	client := dnsclient.New("127.0.0.1:" + port)
	client.Port, client.Timeout = port, timeout
	return zone.New(client.WithCache())
}

// What many domains have in common is asked once: a domain on the same name server as
// thousands of others costs a dozen questions.
func TestQuestionsForManyDomains(t *testing.T) {
	var asked atomic.Int64
	k := manyDomains(t, &asked, 5*time.Second, "127.0.0.2")
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
	const n = 200
	if got := check(1, n+1); got > 12*n {
		t.Errorf("%d questions for %d domains", got, n)
	}
}

// A name server that is down is not waited for by thousands of domains.
func TestDeadNameServerOfManyDomains(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	k := manyDomains(t, &asked, 400*time.Millisecond, "127.0.0.2", "127.0.0.3")
	begun := time.Now()
	for i := range 50 {
		d := domain()
		d.Name = fmt.Sprintf("d%d.example", i)
		r := k.Check(t.Context(), server(), d)
		if f := r.Findings[0]; f.ID != "dns.delegation" || f.Severity != finding.Unknown || f.Subject != "ns1.host.example (127.0.0.3)" {
			t.Fatalf("%+v", f)
		}
	}
	if took := time.Since(begun); took > 30*time.Second { // 40 for all
		t.Errorf("fifty domains took %v", took)
	}
}
