package dnsclient_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"mailsetup/internal/state"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

func TestServers(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n", []string{"192.0.2.53", "2001:db8::53"}},
		{"# nothing\n", []string{"127.0.0.1"}},
		{"", []string{"127.0.0.1"}},
	} {
		if got := dnsclient.Servers([]byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("Servers(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	for server, want := range map[string]string{"192.0.2.53": "192.0.2.53:53", "2001:db8::53": "[2001:db8::53]:53", "127.0.0.1:5353": "127.0.0.1:5353"} {
		if got := dnsclient.WithPort(server); got != want {
			t.Errorf("WithPort(%q) = %q, want %q", server, got, want)
		}
	}
}

func TestLookupTellsAnswersApart(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	addr := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		switch name := r.Question[0].Name; name {
		case "found.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess, `Found.Example. 60 IN TXT "v=spf1 " "\"q\" \255-all"`)
		case "alias.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess, "alias.example. 60 IN CNAME Target.example.", `target.example. 30 IN TXT "there"`)
		case "dangling.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess, "dangling.example. 60 IN CNAME nowhere.example.")
		case "loop.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess, "loop.example. 60 IN CNAME loop.example.")
		case "empty.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess)
		case "nothing.example.":
			return dnstest.Reply(t, r, dns.RcodeNameError)
		case "broken.example.":
			return dnstest.Reply(t, r, dns.RcodeServerFailure)
		case "refused.example.":
			return dnstest.Reply(t, r, dns.RcodeRefused)
		case "long.example.":
			return dnstest.Reply(t, r, dns.RcodeSuccess, `long.example. 1 IN TXT "`+strings.Join(slices.Repeat([]string{long}, 8), `" "`)+`"`)
		case "referral.example.":
			m := dnstest.Reply(t, r, dns.RcodeSuccess)
			m.Authoritative = false
			m.Ns = dnstest.RRs(t, "example. 60 IN NS ns.example.")
			return m
		default:
			return nil // silence
		}
	})
	for _, c := range []struct {
		name   string
		status dnsclient.Status
		want   []state.Record
		err    string
	}{
		{"found.example", dnsclient.Found, []state.Record{{Name: "found.example.", Type: "TXT", TTL: 60, Value: "v=spf1 \"q\" \xff-all"}}, ""},
		{"alias.example", dnsclient.Found, []state.Record{
			{Name: "alias.example.", Type: "CNAME", TTL: 60, Value: "target.example."},
			{Name: "target.example.", Type: "TXT", TTL: 30, Value: "there"},
		}, ""},
		{"dangling.example", dnsclient.NoData, []state.Record{{Name: "dangling.example.", Type: "CNAME", TTL: 60, Value: "nowhere.example."}}, ""},
		{"empty.example", dnsclient.NoData, nil, ""},
		{"nothing.example", dnsclient.NXDomain, nil, ""},
		{"broken.example", dnsclient.Unknown, nil, "SERVFAIL"},
		{"refused.example", dnsclient.Unknown, nil, "REFUSED"},
		{"referral.example", dnsclient.Unknown, nil, "does not recurse"},
		{"silent.example", dnsclient.Unknown, nil, "look up silent.example TXT"},
		{"long.example", dnsclient.Found, []state.Record{{Name: "long.example.", Type: "TXT", TTL: 1, Value: strings.Repeat(long, 8)}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, status, err := client(addr).Lookup(t.Context(), c.name, "txt")
			if status != c.status {
				t.Errorf("status %v, want %v", status, c.status)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if (err != nil) != (status == dnsclient.Unknown) || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("status %v with error %v, want one with %q", status, err, c.err)
			}
		})
	}
	if records, status, err := client(addr).Lookup(t.Context(), "loop.example", "TXT"); status != dnsclient.NoData || err != nil || len(records) == 0 {
		t.Errorf("an alias of itself: %v, %v, %v", records, status, err)
	}
}

func TestLookupAsksTheNextServer(t *testing.T) {
	t.Parallel()
	broken := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeServerFailure) })
	silent := dnstest.Serve(t, "127.0.0.1", func(*dns.Msg) *dns.Msg { return nil })
	good := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		return dnstest.Reply(t, r, dns.RcodeSuccess, "mail.example. 60 IN A 192.0.2.1")
	})
	records, status, err := client(broken, silent, good).Lookup(t.Context(), "mail.example", "A")
	if err != nil || status != dnsclient.Found || len(records) != 1 || records[0].Value != "192.0.2.1" {
		t.Errorf("got %v, %v, %v", records, status, err)
	}
}

func TestLookupIgnoresForeignAnswers(t *testing.T) {
	t.Parallel()
	addr := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeSuccess, "other.example. 60 IN A 192.0.2.66")
		m.Question[0].Name = "other.example."
		return m
	})
	if records, status, _ := client(addr).Lookup(t.Context(), "mail.example", "A"); status != dnsclient.Unknown {
		t.Errorf("an answer to another question counts as %v: %v", status, records)
	}
	wrongID := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeSuccess, "mail.example. 60 IN A 192.0.2.66")
		m.Id++
		return m
	})
	if records, status, _ := client(wrongID).Lookup(t.Context(), "mail.example", "A"); status != dnsclient.Unknown {
		t.Errorf("an answer with another ID counts as %v: %v", status, records)
	}
}

func TestLookupWithoutEDNS(t *testing.T) {
	t.Parallel()
	addr := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if r.IsEdns0() != nil {
			return dnstest.Reply(t, r, dns.RcodeFormatError)
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess, "mail.example. 60 IN A 192.0.2.1")
	})
	if _, status, err := client(addr).Lookup(t.Context(), "mail.example", "A"); status != dnsclient.Found {
		t.Errorf("status %v, %v", status, err)
	}
}

func TestLookupHonoursItsContext(t *testing.T) {
	t.Parallel()
	addr := dnstest.Serve(t, "127.0.0.1", func(*dns.Msg) *dns.Msg { return nil })
	c := dnsclient.New(addr)
	c.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, status, err := c.Lookup(ctx, "mail.example", "A")
	if status != dnsclient.Unknown || !errors.Is(err, context.Canceled) || time.Since(start) > 30*time.Second {
		t.Errorf("after %v: %v, %v", time.Since(start), status, err)
	}
	if _, status, err := dnsclient.New().Lookup(t.Context(), "mail.example", "A"); status != dnsclient.Unknown || err == nil {
		t.Errorf("without a server: %v, %v", status, err)
	}
	if _, status, err := c.Lookup(t.Context(), "mail.example", "NONSENSE"); status != dnsclient.Unknown || err == nil {
		t.Errorf("of an unknown type: %v, %v", status, err)
	}
}

// FuzzFromRR takes any octets through the wire format of the library and back.
func FuzzFromRR(f *testing.F) {
	for _, s := range []string{"v=DKIM1; p=abc", `a"b\c`, "\x00\xff\n", "\\065"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 255 {
			return
		}
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: "x.example.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{escape(s)}}
		wire := make([]byte, 1024)
		n, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := dns.UnpackRR(wire[:n], 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := dnsclient.FromRR(back).Value; got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}

// escape writes every octet as \DDD.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte('\\')
		b.WriteByte('0' + s[i]/100)
		b.WriteByte('0' + s[i]/10%10)
		b.WriteByte('0' + s[i]%10)
	}
	return b.String()
}
