package nsupdate_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/state"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/parallel"
)

func testPrimaries(t *testing.T, resolver *dnsclient.Client) (*nsupdate.Session, nsupdate.Key) {
	t.Helper()
	key, err := nsupdate.ParseKey([]byte(keyText(testKey, testSecret)))
	if err != nil {
		t.Fatal(err)
	}
	ask := &nsupdate.Session{Resolver: resolver}
	t.Cleanup(ask.Close)
	return ask, key
}

func TestZoneOnAServerThatIsNamed(t *testing.T) {
	p := newPrimary(t, "alias.example.org. 60 IN CNAME www.example.org.")
	ask, key := testPrimaries(t, nil)
	for name, want := range map[string]string{
		"example.org.": "example.org.", "_dmarc.Example.org.": "example.org.", "a.b.c.example.org.": "example.org.",
		"alias.example.org.": "example.org.", "example.net.": "", "org.": "",
	} {
		origin, at, err := ask.Zone(t.Context(), p.addr, key, name)
		if err != nil || origin != want || at != p.addr {
			t.Errorf("%s: %q at %s, %v; want %q at %s", name, origin, at, err, want, p.addr)
		}
	}
}

// The zone that delegates a name has it no more.
func TestZoneThatIsDelegated(t *testing.T) {
	p := newPrimary(t)
	p.refer = "sub.example.org."
	ask, key := testPrimaries(t, nil)
	for name, want := range map[string]string{"sub.example.org.": "", "a.sub.example.org.": "", "other.example.org.": "example.org."} {
		if origin, _, err := ask.Zone(t.Context(), p.addr, key, name); err != nil || origin != want {
			t.Errorf("%s: %q, %v; want %q", name, origin, err, want)
		}
	}
}

func TestZoneOfTheSOARecord(t *testing.T) {
	p := newPrimary(t)
	host, port, _ := net.SplitHostPort(p.addr)
	var mname atomic.Value
	mname.Store(host + ".")
	resolver := client(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if r.Question[0].Name == "example.org." && r.Question[0].Qtype == dns.TypeSOA {
			return dnstest.Reply(t, r, dns.RcodeSuccess, "example.org. 60 IN SOA "+mname.Load().(string)+" hostmaster.example.org. 1 2 3 4 5")
		}
		return dnstest.Reply(t, r, dns.RcodeNameError)
	}))
	resolver.Port = port
	ask, key := testPrimaries(t, resolver)
	origin, at, err := ask.Zone(t.Context(), "", key, "mail.example.org.")
	if err != nil || origin != "example.org." || at != p.addr {
		t.Errorf("%q at %s, %v", origin, at, err)
	}
	if _, _, err := ask.Zone(t.Context(), "", key, "example.net."); err == nil || !strings.Contains(err.Error(), "find the primary of example.net: no zone holds it") {
		t.Errorf("a name without a zone: %v", err)
	}
	mname.Store(".")
	if _, _, err := ask.Zone(t.Context(), "", key, "example.org."); err == nil || !strings.Contains(err.Error(), "its SOA record names none") {
		t.Errorf("a SOA without a primary: %v", err)
	}
}

func TestRecordsOfAPrimary(t *testing.T) {
	p := newPrimary(t, `example.org. 60 IN TXT "a" "b"`, "example.org. 60 IN MX 10 Mail.example.org.", "alias.example.org. 60 IN CNAME www.example.org.")
	ask, key := testPrimaries(t, nil)
	got, err := ask.Records(t.Context(), p.addr, key, []nsupdate.Question{{"example.org.", "TXT"}, {"example.org.", "MX"}, {"alias.example.org.", "TXT"}, {"alias.example.org.", "A"}, {"none.example.org.", "TXT"}})
	want := []state.Record{
		{Name: "example.org.", Type: "TXT", TTL: 60, Value: "ab"},
		{Name: "example.org.", Type: "MX", TTL: 60, Value: "10 mail.example.org."},
		{Name: "alias.example.org.", Type: "CNAME", TTL: 60, Value: "www.example.org."},
	}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// A primary that is down is tried once, however many zones it has.
func TestADeadPrimaryIsTriedOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var calls atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = conn.Close()
		}
	}()
	ask, key := testPrimaries(t, nil)
	for _, name := range []string{"a.example.", "b.example.", "c.example."} {
		_, _, err := ask.Zone(t.Context(), listener.Addr().String(), key, name)
		if err == nil || !strings.Contains(err.Error(), "did not answer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("called %d times", n)
	}
	_ = listener.Close()
	gone, key := testPrimaries(t, nil)
	_, _, first := gone.Zone(t.Context(), listener.Addr().String(), key, "a.example.")
	_, _, second := gone.Zone(t.Context(), listener.Addr().String(), key, "b.example.")
	if first == nil || first != second {
		t.Errorf("dialed again: %v, %v", first, second)
	}
}

// Many are served at the same time, over a few connections; what they ask comes together.
func TestManyAskAPrimary(t *testing.T) {
	var records []string
	var list []nsupdate.Question
	var names []string
	for i := range 200 {
		name := fmt.Sprintf("d%03d.example.org.", i)
		names = append(names, name)
		list = append(list, nsupdate.Question{Name: name, Type: "TXT"})
		records = append(records, name+" 60 IN TXT here")
	}
	p := newPrimary(t, append(records, "*.d007.example.org. 60 IN TXT any")...)
	ask, key := testPrimaries(t, nil)
	if err := parallel.Do(100, 100, func(i int) error {
		origin, _, err := ask.Zone(t.Context(), p.addr, key, names[i])
		if err == nil && origin != "example.org." {
			err = errors.New(origin)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	found, err := ask.Records(t.Context(), p.addr, key, list)
	if err != nil || len(found) != 200 || found[199].Name != "d199.example.org." {
		t.Errorf("%d records, %v", len(found), err)
	}
	cover, err := ask.Coverage(t.Context(), p.addr, key, "example.org.", names, nil)
	if err != nil || len(cover.Names) != 200 || cover.Names[7] != "d007.example.org." || len(cover.Records) != 1 || cover.Records[0].Value != "any" {
		t.Errorf("%d names, records %v, %v", len(cover.Names), cover.Records, err)
	}
	if n := p.conns.Load(); n > 8 {
		t.Errorf("%d connections", n)
	}
}
