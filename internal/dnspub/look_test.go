package dnspub

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
)

// from answers with authority from records in zone file syntax, which the zone
// lab.example. is made of.
func from(t *testing.T, records func() []string) func(r *dns.Msg) *dns.Msg {
	t.Helper()
	return func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		m := reply(t, r, dns.RcodeNameError)
		for _, rr := range rrs(t, records()...) {
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

func fixed(records ...string) func() []string { return func() []string { return records } }

// labZone is served by ns1 on 127.0.0.2 and ns2 on 127.0.0.3, as the resolver
// on 127.0.0.1 says.
func labZone(t *testing.T, ns1, ns2 func(r *dns.Msg) *dns.Msg) *Client {
	t.Helper()
	resolver := serve(t, "127.0.0.1", "0", from(t, fixed(
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
		"there.example. 60 IN TXT \"v=DMARC1; p=none; rua=mailto:a@lab.example\"",
	)))
	_, port, _ := net.SplitHostPort(resolver)
	c := client(resolver)
	c.port = port
	serve(t, "127.0.0.2", port, ns1)
	serve(t, "127.0.0.3", port, ns2)
	return c
}

func zone(serial, dmarc string, more ...string) []string {
	return append(more, "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. "+serial+" 1 1 1 1",
		`lab.example. 60 IN TXT "v=spf1 mx ip4:192.0.2.10 ~all"`, `_dmarc.lab.example. 60 IN `+dmarc)
}

const goodDMARC = `TXT "v=DMARC1; p=none; rua=mailto:a@lab.example"`

func policies() Wanted {
	return Wanted{Domain: "lab.example", Records: []state.Record{theSPF().Record, theDMARC().Record}}
}

// told is a view in one line a server.
func told(v View) string {
	var b strings.Builder
	for _, s := range v.Servers {
		b.WriteString(s.Name + " " + s.Zone + " " + string(s.Wrong.Fault) + s.Wrong.Text)
		for _, r := range s.Records {
			b.WriteString(" | " + r.Record.Name + " " + string(r.Fault) + ": " + r.Text)
		}
		b.WriteString("\n")
	}
	for _, r := range v.Lost {
		b.WriteString(r.Record.Name + " " + string(r.Fault) + ": " + r.Text + "\n")
	}
	return b.String()
}

func TestLook(t *testing.T) {
	good := zone("8", goodDMARC)
	refuses := func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeRefused) }
	for _, c := range []struct {
		name string
		ns2  func(r *dns.Msg) *dns.Msg
		ok   bool
		want string
	}{
		{"all is well", from(t, fixed(good...)), true, "ns2 lab.example.  | lab.example. :  | _dmarc.lab.example. : "},
		{
			"an old copy", from(t, fixed(zone("7", `TXT "v=DMARC1; p=reject"`)...)), false,
			"ns2 lab.example.  | lab.example. :  | _dmarc.lab.example. old copy: an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (another value",
		},
		{
			"doubled there", from(t, fixed(zone("9", `NS x.`, `_dmarc.lab.example.lab.example. 60 IN `+goodDMARC)...)), false,
			"_dmarc.lab.example. doubled name: nothing there, but _dmarc.lab.example.lab.example has it",
		},
		{"an alias to the record", from(t, fixed(zone("8", `CNAME there.example.`)...)), true, "_dmarc.lab.example. : "},
		{
			"an alias to nothing", from(t, fixed(zone("9", `CNAME nowhere.example.`)...)), false,
			"_dmarc.lab.example. alias: the name is an alias (CNAME) of nowhere.example, which has no such record; ns1.lab.example has it right",
		},
		{"refuses", refuses, false, "ns2 lab.example. refusesit refuses to answer for lab.example\n"},
		{"cannot load it", func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeServerFailure) }, false, "ns2 lab.example. brokenit answers SERVFAIL: "},
		{"silent", func(*dns.Msg) *dns.Msg { return nil }, false, "ns2 lab.example. no answerit does not answer: nothing came within 200ms\n"},
		{"lame", func(r *dns.Msg) *dns.Msg {
			m := reply(t, r, dns.RcodeSuccess)
			m.Authoritative = false
			return m
		}, false, "ns2 lab.example. lameit is not in charge of lab.example, although it is named as one who is (lame)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := labZone(t, from(t, fixed(good...)), c.ns2).Look(t.Context(), policies(), View{})
			got := strings.ReplaceAll(told(v), ".lab.example lab.example.", " lab.example.")
			if v.OK() != c.ok || !strings.Contains(got, c.want) || len(v.Servers) != 2 || !v.Servers[0].OK() {
				t.Errorf("ok is %v, got\n%s\nwant\n%s", v.OK(), got, c.want)
			}
		})
	}
}

// TestLookAgain: what was right is not asked again, what was wrong is.
func TestLookAgain(t *testing.T) {
	var repaired atomic.Bool
	var mu sync.Mutex
	var names []string
	ns2 := from(t, func() []string {
		if repaired.Load() {
			return zone("8", goodDMARC)
		}
		return zone("7", `TXT "v=DMARC1; p=reject"`)
	})
	c := labZone(t, from(t, fixed(zone("8", goodDMARC)...)), func(r *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.Question[0].Name+dns.TypeToString[r.Question[0].Qtype])
		return ns2(r)
	})
	first := c.Look(t.Context(), policies(), View{})
	repaired.Store(true)
	mu.Lock()
	names = nil
	mu.Unlock()
	second := c.Look(t.Context(), policies(), first)
	if first.OK() || !second.OK() {
		t.Errorf("first\n%ssecond\n%s", told(first), told(second))
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"lab.example.SOA", "_dmarc.lab.example.TXT"}; !slices.Equal(names, want) {
		t.Errorf("asked %q, want %q", names, want)
	}
}

func TestLookNobodyInCharge(t *testing.T) {
	resolver := serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		m := reply(t, r, dns.RcodeNameError)
		m.Ns = rrs(t, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1")
		return m
	})
	v := client(resolver).Look(t.Context(), policies(), View{})
	const want = "find the zone of lab.example: nobody is in charge of it, says example."
	if v.OK() || len(v.Lost) != 2 || v.Lost[0].Text != want {
		t.Errorf("%s\nwant %s", told(v), want)
	}
	v = client("127.0.0.1:1").Look(t.Context(), policies(), View{})
	if v.OK() || len(v.Lost) != 2 || !strings.Contains(v.Lost[0].Text, "connection refused") {
		t.Errorf("%s", told(v))
	}
}

func TestZoneOf(t *testing.T) {
	soa := "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1"
	whole := serve(t, "127.0.0.1", "0", from(t, fixed(
		soa, "alias.lab.example. 60 IN CNAME x.elsewhere.example.", "www.lab.example. 60 IN A 192.0.2.80",
	)))
	// dnsmasq answers from its cache without the SOA.
	forgetful := serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		m := from(t, fixed(soa))(r)
		m.Ns = nil
		return m
	})
	for _, server := range []string{whole, forgetful} {
		for _, name := range []string{"lab.example.", "www.lab.example", "alias.lab.example.", "x.y.lab.example."} {
			if zone, err := client(server).ZoneOf(t.Context(), name); zone != "lab.example." || err != nil {
				t.Errorf("%s: %q, %v", name, zone, err)
			}
		}
	}
}

// A resolver that is asked for a key before it is there remembers that it is
// missing, for as long as the zone says.
func TestNobodyAsksTheResolverForKeys(t *testing.T) {
	key := "202612._domainkey.lab.example."
	var mu sync.Mutex
	var names []string
	records := []string{
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 3600",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.", "old._domainkey.lab.example. 60 IN TXT \"v=DKIM1; p=AAAA\"",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
	}
	resolver := serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.Question[0].Name)
		return from(t, fixed(records...))(r)
	})
	_, port, _ := net.SplitHostPort(resolver)
	c := client(resolver)
	c.port = port
	serve(t, "127.0.0.2", port, from(t, fixed(records...)))
	serve(t, "127.0.0.3", port, func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeServerFailure) })

	if taken, err := c.Taken(t.Context(), key); taken || err != nil {
		t.Errorf("%s: %v, %v; want that it is free", key, taken, err)
	}
	if taken, err := c.Taken(t.Context(), "old._domainkey.lab.example."); !taken || err != nil {
		t.Errorf("old: %v, %v; want that it is taken", taken, err)
	}
	v := c.Look(t.Context(), Wanted{Domain: "lab.example", Records: []state.Record{{Name: key, Type: "TXT", Value: "v=DKIM1; p=BBBB"}}}, View{})
	if len(v.Servers) != 2 || len(v.Servers[0].Records) != 1 || v.Servers[0].Records[0].Fault != Missing {
		t.Errorf("%s", told(v))
	}
	if primary, err := c.mname(t.Context(), key); err != nil || !strings.HasPrefix(primary, "ns1.lab.example") {
		t.Errorf("primary %q, %v", primary, err)
	}
	mu.Lock()
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, "._domainkey.lab.example.") }) {
		t.Errorf("the resolver was asked for %q", names)
	}
	mu.Unlock()
	if _, err := client("127.0.0.1:1").Taken(t.Context(), key); err == nil {
		t.Error("nobody can be asked, and yet nobody has it")
	}
}
