package dnscheck_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/state"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// labZone is served by ns1 on 127.0.0.2 and ns2 on 127.0.0.3, as the resolver
// on 127.0.0.1 says.
func labZone(t *testing.T, ns1, ns2 func(r *dns.Msg) *dns.Msg) *dnsclient.Client {
	t.Helper()
	return serve(t, dnstest.Zone(t,
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
		"there.example. 60 IN TXT \"v=DMARC1; p=none; rua=mailto:a@lab.example\"",
	), ns1, ns2)
}

// serve starts a resolver on 127.0.0.1 and name servers on 127.0.0.2 and 127.0.0.3, and
// returns a client of it.
func serve(t *testing.T, resolver, ns1, ns2 func(r *dns.Msg) *dns.Msg) *dnsclient.Client {
	t.Helper()
	port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{"127.0.0.1": resolver, "127.0.0.2": ns1, "127.0.0.3": ns2})
	c := client(net.JoinHostPort("127.0.0.1", port))
	c.Port = port
	return c
}

func zone(serial, dmarc string, more ...string) []string {
	return append(more, "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. "+serial+" 1 1 1 1",
		`lab.example. 60 IN TXT "v=spf1 mx ip4:192.0.2.10 ~all"`, `_dmarc.lab.example. 60 IN `+dmarc)
}

const goodDMARC = `TXT "v=DMARC1; p=none; rua=mailto:a@lab.example"`

func policies() dnscheck.Expected {
	return dnscheck.Expected{Domain: "lab.example", Records: []state.Record{theSPF().Record, theDMARC().Record}}
}

// told is a view in one line a server.
func told(v dnscheck.Result) string {
	var b strings.Builder
	for _, s := range v.Servers {
		b.WriteString(s.Name + " " + s.Zone + " " + string(s.ServerProblem.Fault) + s.ServerProblem.Text)
		for _, r := range s.Records {
			b.WriteString(" | " + r.Record.Name + " " + string(r.Fault) + ": " + r.Text)
		}
		b.WriteString("\n")
	}
	for _, r := range v.NoServer {
		b.WriteString(r.Record.Name + " " + string(r.Fault) + ": " + r.Text + "\n")
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	good := zone("8", goodDMARC)
	refuses := func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeRefused) }
	for _, c := range []struct {
		name string
		ns2  func(r *dns.Msg) *dns.Msg
		ok   bool
		want string
	}{
		{"all is well", dnstest.Zone(t, good...), true, "ns2 lab.example.  | lab.example. :  | _dmarc.lab.example. : "},
		{
			"an old copy", dnstest.Zone(t, zone("7", `TXT "v=DMARC1; p=reject"`)...), false,
			"ns2 lab.example.  | lab.example. :  | _dmarc.lab.example. old copy: an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (another value",
		},
		{
			"doubled there", dnstest.Zone(t, zone("9", `NS x.`, `_dmarc.lab.example.lab.example. 60 IN `+goodDMARC)...), false,
			"_dmarc.lab.example. doubled name: nothing there, but _dmarc.lab.example.lab.example has it",
		},
		{"an alias to the record", dnstest.Zone(t, zone("8", `CNAME there.example.`)...), true, "_dmarc.lab.example. : "},
		{
			"an alias to nothing", dnstest.Zone(t, zone("9", `CNAME nowhere.example.`)...), false,
			"_dmarc.lab.example. alias: the name is an alias (CNAME) of nowhere.example, which has no such record; ns1.lab.example has it right",
		},
		{"refuses", refuses, false, "ns2 lab.example. refusesit refuses to answer for lab.example\n"},
		{"cannot load it", func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeServerFailure) }, false, "ns2 lab.example. brokenit answers SERVFAIL: "},
		{"silent", func(*dns.Msg) *dns.Msg { return nil }, false, "ns2 lab.example. no answerit does not answer: nothing came within 200ms\n"},
		{"lame", func(r *dns.Msg) *dns.Msg {
			m := dnstest.Reply(t, r, dns.RcodeSuccess)
			m.Authoritative = false
			return m
		}, false, "ns2 lab.example. lameit is not in charge of lab.example, although it is named as one who is (lame)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := dnscheck.Check(t.Context(), labZone(t, dnstest.Zone(t, good...), c.ns2), policies(), dnscheck.Result{})
			got := strings.ReplaceAll(told(v), ".lab.example lab.example.", " lab.example.")
			if v.OK() != c.ok || !strings.Contains(got, c.want) || len(v.Servers) != 2 || !v.Servers[0].OK() {
				t.Errorf("ok is %v, got\n%s\nwant\n%s", v.OK(), got, c.want)
			}
		})
	}
}

// What was right is not asked again, what was wrong is.
func TestCheckAgain(t *testing.T) {
	var repaired atomic.Bool
	var mu sync.Mutex
	var names []string
	ns2 := dnstest.ZoneFunc(t, func() []string {
		if repaired.Load() {
			return zone("8", goodDMARC)
		}
		return zone("7", `TXT "v=DMARC1; p=reject"`)
	})
	c := labZone(t, dnstest.Zone(t, zone("8", goodDMARC)...), func(r *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.Question[0].Name+dns.TypeToString[r.Question[0].Qtype])
		return ns2(r)
	})
	first := dnscheck.Check(t.Context(), c, policies(), dnscheck.Result{})
	repaired.Store(true)
	mu.Lock()
	names = nil
	mu.Unlock()
	second := dnscheck.Check(t.Context(), c, policies(), first)
	if first.OK() || !second.OK() {
		t.Errorf("first\n%ssecond\n%s", told(first), told(second))
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"_dmarc.lab.example.TXT"}; !slices.Equal(names, want) {
		t.Errorf("asked %q, want %q", names, want)
	}
}

func TestCheckNobodyInCharge(t *testing.T) {
	resolver := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeNameError)
		m.Ns = dnstest.RRs(t, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1")
		return m
	})
	v := dnscheck.Check(t.Context(), client(resolver), policies(), dnscheck.Result{})
	const want = "find the zone of lab.example: nobody is in charge of it, says example."
	if v.OK() || len(v.NoServer) != 2 || v.NoServer[0].Text != want {
		t.Errorf("%s\nwant %s", told(v), want)
	}
	v = dnscheck.Check(t.Context(), client("127.0.0.1:1"), policies(), dnscheck.Result{})
	if v.OK() || len(v.NoServer) != 2 || !strings.Contains(v.NoServer[0].Text, "connection refused") {
		t.Errorf("%s", told(v))
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
	c := serve(t, func(r *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.Question[0].Name)
		return dnstest.Zone(t, records...)(r)
	}, dnstest.Zone(t, records...), func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeServerFailure) })

	if taken, err := c.TXTExists(t.Context(), key); taken || err != nil {
		t.Errorf("%s: %v, %v; want that it is free", key, taken, err)
	}
	if taken, err := c.TXTExists(t.Context(), "old._domainkey.lab.example."); !taken || err != nil {
		t.Errorf("old: %v, %v; want that it is taken", taken, err)
	}
	v := dnscheck.Check(t.Context(), c, dnscheck.Expected{Domain: "lab.example", Records: []state.Record{{Name: key, Type: "TXT", Value: "v=DKIM1; p=BBBB"}}}, dnscheck.Result{})
	if len(v.Servers) != 2 || len(v.Servers[0].Records) != 1 || v.Servers[0].Records[0].Fault != dnscheck.Missing {
		t.Errorf("%s", told(v))
	}
	if primary, err := c.Primary(t.Context(), key); err != nil || !strings.HasPrefix(primary, "ns1.lab.example") {
		t.Errorf("primary %q, %v", primary, err)
	}
	mu.Lock()
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, "._domainkey.lab.example.") }) {
		t.Errorf("the resolver was asked for %q", names)
	}
	mu.Unlock()
	if _, err := client("127.0.0.1:1").TXTExists(t.Context(), key); err == nil {
		t.Error("nobody can be asked, and yet nobody has it")
	}
}

// A record that is missing at its own name is looked for at the names where web
// forms and their users put it by mistake.
func TestMisplacedRecords(t *testing.T) {
	sub := state.Record{Name: "202611._domainkey.sub.lab.example.", Type: "TXT", Value: keyRecord}
	keys := map[string]string{"202611": key2048, "202605": key1024}
	for _, c := range []struct {
		want  state.Record
		at    string
		fault dnsclient.Fault
	}{
		{theSPF().Record, "lab.example.lab.example.", dnscheck.DomainAppended},
		{theDMARC().Record, "_dmarc.lab.example.lab.example.", dnscheck.DomainAppended},
		{theDMARC().Record, "dmarc.lab.example.", dnscheck.Misplaced},
		{theDMARC().Record, "lab.example.", dnscheck.Misplaced},
		{theDMARC().Record, "unheard-of.lab.example.", dnscheck.Missing},
		{sub, "202611._domainkey.sub.lab.example.lab.example.", dnscheck.DomainAppended},
		{sub, "202611._domainkey.sub.lab.example.sub.lab.example.", dnscheck.DomainAppended},
		{sub, "202611._domainkey.lab.example.", dnscheck.Misplaced},
		{sub, "202605._domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "202611.domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "202611.sub.lab.example.", dnscheck.Misplaced},
		{sub, "_domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "default._domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "dkim._domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "mail._domainkey.sub.lab.example.", dnscheck.Misplaced},
		{sub, "sub.lab.example.", dnscheck.Misplaced},
	} {
		t.Run(c.want.Name+" at "+c.at, func(t *testing.T) {
			rr, err := dnsclient.ToRR(state.Record{Name: c.at, Type: "TXT", TTL: 60, Value: c.want.Value})
			if err != nil {
				t.Fatal(err)
			}
			served := dnstest.Zone(t, "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 1 1 1 1", rr.String())
			domain := "lab.example"
			if c.want == sub {
				domain = "sub.lab.example"
			}
			r := dnscheck.Check(t.Context(), labZone(t, served, served), dnscheck.Expected{Domain: domain, Records: []state.Record{c.want}, Keys: keys}, dnscheck.Result{})
			if len(r.Servers) != 2 || len(r.Servers[0].Records) != 1 || r.Servers[0].Records[0].Fault != c.fault {
				t.Errorf("got %swant %q", told(r), c.fault)
			}
		})
	}
}
