package dnsclient_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/state"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

const longKey = "v=DKIM1; h=sha256; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxyz"

func record(name, rtype, value string) state.Record {
	return state.Record{Name: name, Type: rtype, TTL: 3600, Value: value}
}

func TestServed(t *testing.T) {
	t.Parallel()
	zone := []string{
		"example.org. 60 IN SOA ns.example.org. h.example.org. 2026112201 1 1 1 1",
		"example.org. 60 IN MX 10 Mail.example.org.",
		`example.org. 60 IN TXT "v=spf1 mx " "-all"`,
		`example.org. 60 IN TXT "google-site-verification=abc"`,
		"mail.example.org. 60 IN A 192.0.2.1",
		"mail.example.org. 60 IN A 192.0.2.2",
		"mail.example.org. 60 IN AAAA 2001:db8::1",
		`_dmarc.example.org. 60 IN TXT "v=DMARC1; p=none"`,
		`s1._domainkey.example.org. 60 IN TXT "` + longKey + `"`,
		`s2._domainkey.example.org. 60 IN TXT "` + longKey + `"`,
		`s2._domainkey.example.org. 60 IN TXT "v=DKIM1; p="`,
		`two.example.org. 60 IN TXT "v=spf1 -all"`,
		`two.example.org. 60 IN TXT "v=spf1 a -all"`,
		"alias.example.org. 60 IN CNAME mail.example.org.",
	}
	spf := record("example.org.", "TXT", "v=spf1 mx -all")
	for _, c := range []struct {
		name string
		p    state.Probe
		want []string // parts of the error, nil for none
	}{
		{"everything", state.Probe{Records: []state.Record{
			spf, record("example.org.", "MX", "10 mail.example.org."),
			record("MAIL.example.org.", "A", "192.0.2.2"), record("mail.example.org.", "A", "192.0.2.1"),
			record("mail.example.org.", "AAAA", "2001:DB8:0::1"),
			record("_dmarc.example.org.", "TXT", "v=DMARC1; p=none"),
			record("s1._domainkey.example.org.", "TXT", longKey),
		}, Serial: 2026112201}, nil},
		{"nothing asked", state.Probe{}, nil},
		{"an address less", state.Probe{Records: []state.Record{record("mail.example.org.", "A", "192.0.2.1")}}, []string{
			"mail.example.org. A", `served "192.0.2.1", "192.0.2.2"; should be "192.0.2.1"`,
		}},
		{"name missing", state.Probe{Records: []state.Record{spf, record("no.example.org.", "A", "192.0.2.1")}}, []string{
			`no.example.org. A: served nothing; should be "192.0.2.1"`,
		}},
		{"other SPF", state.Probe{Records: []state.Record{record("example.org.", "TXT", "v=spf1 ~all")}}, []string{
			`served "v=spf1 mx -all"; should be "v=spf1 ~all"`,
		}},
		{"two SPF", state.Probe{Records: []state.Record{record("two.example.org.", "TXT", "v=spf1 -all")}}, []string{
			`served "v=spf1 -all", "v=spf1 a -all"; should be "v=spf1 -all"`,
		}},
		{"text beside", state.Probe{Records: []state.Record{record("example.org.", "TXT", "google-site-verification=abc")}}, nil},
		{"two keys at one name", state.Probe{Records: []state.Record{record("s2._domainkey.example.org.", "TXT", longKey)}}, []string{"s2._domainkey", `"v=DKIM1; p="`}},
		{"key differs at the end", state.Probe{Records: []state.Record{record("s1._domainkey.example.org.", "TXT", longKey+"QQ")}}, []string{
			"differs after 75", "xyzQQ",
		}},
		{"alias in the way", state.Probe{Records: []state.Record{record("alias.example.org.", "A", "192.0.2.1")}}, []string{"alias (CNAME) of mail.example.org."}},
		{"gone", state.Probe{Gone: []state.Record{record("old._domainkey.example.org.", "TXT", longKey), record("mail.example.org.", "A", "192.0.2.9")}}, nil},
		{"not gone", state.Probe{Gone: []state.Record{record("mail.example.org.", "A", "192.0.2.2")}}, []string{"mail.example.org. A", "still served", "should be gone"}},
		{"gone, and an alias is there", state.Probe{Gone: []state.Record{record("alias.example.org.", "A", "192.0.2.1")}}, nil},
		{"serial behind", state.Probe{Serial: 2026112202}, []string{"serial 2026112201 is served", "2026112202 or later"}},
		{"serial wrapped", state.Probe{Serial: 4200000000}, nil},
		{"foreign zone", state.Probe{Records: []state.Record{record("example.net.", "A", "192.0.2.1")}}, []string{"example.net. A", "REFUSED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.p.Address = zoneServer(t, func() []string { return zone })
			c.p.Origin = "example.org."
			c.p.Within = time.Second
			err := dnsclient.WaitServed(t.Context(), c.p)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v\nwant one with %q", err, part)
				}
			}
		})
	}
}

func TestServedWaits(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	addr := zoneServer(t, func() []string {
		if asked.Add(1) < 4 {
			return []string{"mail.example.org. 60 IN A 192.0.2.1"}
		}
		return []string{"mail.example.org. 60 IN A 192.0.2.2"}
	})
	p := state.Probe{Address: addr, Records: []state.Record{record("mail.example.org.", "A", "192.0.2.2")}, Within: 10 * time.Second}
	if err := dnsclient.WaitServed(t.Context(), p); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("asked %d times, want 4", n)
	}
}

// Where nothing is on its way, what is served now is the answer; a lost datagram is not.
func TestServedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	zone := zoneServer(t, func() []string { asked.Add(1); return nil })
	p := state.Probe{Address: zone, Records: []state.Record{record("mail.example.org.", "A", "192.0.2.2")}, Within: time.Minute, Once: true}
	if err := dnsclient.WaitServed(t.Context(), p); err == nil || !strings.Contains(err.Error(), "served nothing") || asked.Load() != 1 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
	p.Records[0].Name = "mail.example.net." // no zone here
	if err := dnsclient.WaitServed(t.Context(), p); err == nil || !strings.Contains(err.Error(), "REFUSED") {
		t.Errorf("a zone that is not there: %v", err)
	}
	p.Address = "127.0.0.1:1"
	if err := dnsclient.WaitServed(t.Context(), p); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	asked.Store(0)
	p.Address = dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if asked.Add(1) == 1 {
			return new(dns.Msg).SetReply(dnsclient.Query("other.example.org.", dns.TypeA, false))
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess, "mail.example.net. 60 IN A 192.0.2.2")
	})
	if err := dnsclient.WaitServed(t.Context(), p); err != nil {
		t.Errorf("after a lost answer: %v", err)
	}
}

func TestServedNeedsAuthority(t *testing.T) {
	t.Parallel()
	addr := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeSuccess, "mail.example.org. 60 IN A 192.0.2.1")
		m.Authoritative = false
		return m
	})
	err := dnsclient.WaitServed(t.Context(), state.Probe{
		Address: addr, Within: time.Second,
		Records: []state.Record{record("mail.example.org.", "A", "192.0.2.1")},
	})
	if err == nil || !strings.Contains(err.Error(), "no zone with this name") {
		t.Errorf("a cached answer was taken: %v", err)
	}
}

func TestServedEndsInTime(t *testing.T) {
	t.Parallel()
	addr := dnstest.Serve(t, "127.0.0.1", func(*dns.Msg) *dns.Msg { return nil })
	p := state.Probe{Address: addr, Records: []state.Record{record("mail.example.org.", "A", "192.0.2.1")}, Within: 300 * time.Millisecond}
	start := time.Now()
	if err := dnsclient.WaitServed(t.Context(), p); err == nil || time.Since(start) > 30*time.Second {
		t.Errorf("silent server: %v after %v", err, time.Since(start))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Within = time.Minute
	if err := dnsclient.WaitServed(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// zoneServer answers like a server that is responsible for example.org, from
// records in zone file syntax that may change while it runs.
func zoneServer(t *testing.T, records func() []string) string {
	t.Helper()
	return dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		if !dns.IsSubDomain("example.org.", q.Name) {
			m := new(dns.Msg).SetRcode(r, dns.RcodeRefused)
			return m
		}
		m := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
		m.Authoritative = true
		for _, rr := range dnstest.RRs(t, records()...) {
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
