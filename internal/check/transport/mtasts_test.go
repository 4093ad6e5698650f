package transport_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/memory"
	"mailsetup/internal/check/transport"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

func TestParsePolicy(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"version: STSv1\r\nmode: enforce\r\nmx: mx.lab.example\r\nmx: *.lab.example\r\nmax_age: 604800\r\n", "{enforce [mx.lab.example *.lab.example] 604800}"},
		{"version: STSv1\nmode: testing\nmax_age: 31557600\nmx: MX.Lab.Example\n\n", "{testing [mx.lab.example] 31557600}"},
		{"version:STSv1\nmode:none \nmax_age:0", "{none [] 0}"},
		{"version: STSv1\nmode: enforce\nmode: none\nmx: mx.lab.example\nmax_age: 1\nfuture: x\n", "{enforce [mx.lab.example] 1}"},
		{"", "it has no version"},
		{"mode: none\nmax_age: 1\n", "it has no version"},
		{"version: STSv1\nmax_age: 1\nmx: a.example\n", "it has no mode"},
		{"version: STSv1\nmode: enforce\nmax_age: 1\n", "it has no mx"},
		{"version: STSv1\nmode: enforce\nmx: a.example\n", "it has no max_age"},
		{"version: STSv2\nmode: none\nmax_age: 1\n", `line 1: version is "STSv2" instead of STSv1`},
		{"version: STSv1\nmode: Enforce\n", `line 2: mode is "Enforce" instead of enforce, testing or none`},
		{"version: STSv1\nmode: none\nmax_age: 1 week\n", `line 3: max_age is "1 week" instead of a number of seconds up to 31557600`},
		{"version: STSv1\nmode: none\nmax_age: 31557601\n", `line 3: max_age is "31557601" instead of a number of seconds up to 31557600`},
		{"version: STSv1\nmode: none\nmax_age: -1\n", `line 3: max_age is "-1" instead of a number of seconds up to 31557600`},
		{"version: STSv1\nMode: none\nmax_age: 1\n", `line 2: "Mode" instead of mode`},
		{"version: STSv1\nmx: mx.bücher.example\n", `line 2: mx is "mx.bücher.example" instead of a host name in A-labels`},
		{"version: STSv1\nmx: mx.lab.example.\n", `line 2: mx is "mx.lab.example." instead of a host name in A-labels`},
		{"version: STSv1\nmx: mx.*.example\n", `line 2: mx is "mx.*.example" instead of a host name in A-labels`},
		{"version: STSv1\nmx: a.example, b.example\n", `line 2: mx is "a.example, b.example" instead of a host name in A-labels`},
		{"<html>\n", "line 1 is no field: <html>"},
	} {
		p, err := transport.ParsePolicy(tt.text)
		got := fmt.Sprint(p)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: %s; want %s", tt.text, got, tt.want)
		}
	}
}

func TestCovers(t *testing.T) {
	p := transport.Policy{MX: []string{"mx.lab.example", "*.mail.example"}}
	for mx, want := range map[string]bool{
		"mx.lab.example": true, "MX.lab.example": true, "a.mail.example": true,
		"mail.example": false, "a.b.mail.example": false, "amx.lab.example": false, "lab.example": false,
	} {
		if p.Covers(mx) != want {
			t.Errorf("%s: %v", mx, !want)
		}
	}
}

// Senders see one record of the right form, or none.
func TestRecordOfMTASTS(t *testing.T) {
	for _, tt := range []struct{ records, want, seen string }{
		{"", "note", "there is none"},
		{`"v=STSv1; id=20260101T000000"`, "ok", "v=STSv1; id=20260101T000000"},
		{`"v=STSv1;id=1;"`, "ok", ""},
		{`"v=STSv1 ; id=1 ; x=y ; "`, "ok", ""},
		{`"v=spf1 -all"`, "note", "there is none"},
		{`"v=STSv1; id=1" "v=spf1"`, "problem", `its id "1v=spf1"`}, // two strings of one record
		{`"v=STSv1; id=1"|"v=spf1 -all"`, "ok", ""},
		{`"v=STSv1; id=1"|"v=STSv1; id=2"`, "problem", "2 records, so that senders see none"},
		{`"v=STSv1"`, "problem", "it does not begin with v=STSv1;"},
		{`"v=STSv1 id=1"`, "problem", "it does not begin with v=STSv1;"},
		{`"V=STSv1; id=1"`, "problem", "it does not begin with v=STSv1;"},
		{`" v=STSv1; id=1"`, "problem", "it does not begin with v=STSv1;"},
		{`"v=STSv1;"`, "problem", "is no field"},
		{`"v=STSv1; x=y"`, "problem", "it has no id"},
		{`"v=STSv1; id=2026-01-01"`, "problem", `its id "2026-01-01" is not 1 to 32 letters and digits`},
		{`"v=STSv1; id=123456789012345678901234567890123"`, "problem", "is not 1 to 32"},
		{`"v=STSv1; id="`, "problem", `its id "" is not 1 to 32`},
	} {
		var zoneRecords []string
		for r := range strings.SplitSeq(tt.records, "|") {
			if r != "" {
				zoneRecords = append(zoneRecords, "_mta-sts.lab.example. 60 IN TXT "+r)
			}
		}
		f := find(t, check(t, zone(t, zoneRecords...), server(), transport.Options{SMTPPort: "1"}), "sts.record")
		if string(f.Severity) != tt.want || !strings.Contains(f.Seen, tt.seen) || f.Subject != "_mta-sts.lab.example" || f.Domain != "lab.example" {
			t.Errorf("%s: %s %q; want %s %q", tt.records, f.Severity, f.Seen, tt.want, tt.seen)
		}
		if want := `_mta-sts.lab.example. TXT "v=STSv1; id=20261130120000"`; f.Severity == "problem" && !strings.HasSuffix(f.Remedy.String(), want) {
			t.Errorf("%s: %s", tt.records, f.Remedy)
		}
	}
}

const goodPolicy = "version: STSv1\nmode: enforce\nmx: mx.lab.example\nmax_age: 604800\n"

// sts is lab.example with a record, and a web server of this machine.
var sts = []string{`_mta-sts.lab.example. 60 IN TXT "v=STSv1; id=1"`, "mta-sts.lab.example. 60 IN A 127.0.0.2"}

func TestPolicyThatIsFetched(t *testing.T) {
	ca := newAuthority(t, "Lab")
	right := ca.issue(t, "mta-sts.lab.example", 60)
	serves := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "mta-sts.lab.example" && r.URL.Path == "/.well-known/mta-sts.txt" {
				w.Header().Set("Content-Type", kind)
				fmt.Fprint(w, text)
			}
		}
	}
	answers := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://mta-sts.lab.example/elsewhere")
			w.WriteHeader(code)
		}
	}
	ok := []string{"ok sts.record lab.example _mta-sts.lab.example", "ok sts.policy lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt"}
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		h    http.HandlerFunc
		want []string // after the record
		seen string
	}{
		{"right", right, serves("text/plain; charset=utf-8", goodPolicy), []string{
			ok[1], "ok sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "ok sts.mx lab.example mx.lab.example",
			"ok sts.age lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt",
		}, ""},
		{"testing", right, serves("text/plain", strings.ReplaceAll(goodPolicy, "enforce", "testing")), []string{
			ok[1], "note sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "ok sts.mx lab.example mx.lab.example",
		}, ""},
		{"none", right, serves("text/plain", "version: STSv1\nmode: none\nmax_age: 86400\n"), []string{
			ok[1], "note sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt",
		}, ""},
		{"short", right, serves("text/plain", strings.ReplaceAll(goodPolicy, "604800", "86400")), []string{
			ok[1], "ok sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "ok sts.mx lab.example mx.lab.example",
			"note sts.age lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt",
		}, ""},
		{"another MX", right, serves("text/plain", strings.ReplaceAll(goodPolicy, "mx.lab", "mail.lab")), []string{
			ok[1], "ok sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "problem sts.mx lab.example mx.lab.example",
			"note sts.mx lab.example mail.lab.example", "ok sts.age lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt",
		}, ""},
		{"another MX, testing", right, serves("text/plain", strings.NewReplacer("mx.lab", "mail.lab", "enforce", "testing").Replace(goodPolicy)), []string{
			ok[1], "note sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "note sts.mx lab.example mx.lab.example",
			"note sts.mx lab.example mail.lab.example",
		}, ""},
		{"wildcard", right, serves("text/plain", strings.ReplaceAll(goodPolicy, "mx: mx", "mx: *")), []string{
			ok[1], "ok sts.mode lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt", "ok sts.mx lab.example mx.lab.example",
			"ok sts.age lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt",
		}, ""},
		{"a page", right, serves("text/html", goodPolicy), nil, `calls it "text/html" instead of text/plain`},
		{"an error in it", right, serves("text/plain", strings.ReplaceAll(goodPolicy, "enforce", "strict")), nil, `mode is "strict"`},
		{"too long", right, serves("text/plain", goodPolicy+strings.Repeat("x: y\n", 20000)), nil, "more than 65536 bytes"},
		{"not there", right, answers(404), nil, "the web server answers 404"},
		{"a redirect", right, answers(301), nil, "senders follow no redirect"},
		{"certificate of nobody", authority{}.issue(t, "mta-sts.lab.example", 60), serves("text/plain", goodPolicy), nil, "senders get no policy: tls: failed to verify certificate"},
		{"certificate for another name", ca.issue(t, "www.lab.example", 60), serves("text/plain", goodPolicy), nil, "senders get no policy: tls: failed to verify certificate"},
		{"certificate that ended", ca.issue(t, "mta-sts.lab.example", -1), serves("text/plain", goodPolicy), nil, "certificate has expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := check(t, zone(t, sts...), server(), transport.Options{Roots: ca.roots(), SMTPPort: "1", HTTPSPort: webServer(t, tt.cert, tt.h)})
			want := append([]string{ok[0]}, tt.want...)
			if tt.want == nil {
				want = append(want, "problem sts.policy lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt")
				if f := find(t, r, "sts.policy"); !strings.Contains(f.Seen, tt.seen) || f.Remedy.String() == "" {
					t.Errorf("%q", f.Seen)
				}
			}
			expect(t, lines(r, "sts"), want...)
		})
	}
	unknown := transport.Options{Roots: ca.roots(), SMTPPort: "1", HTTPSPort: webServer(t, right, answers(503))}
	if f := find(t, check(t, zone(t, sts...), server(), unknown), "sts.policy"); f.Severity != "unknown" {
		t.Errorf("%+v", f)
	}
	unknown.HTTPSPort = "1"
	if f := find(t, check(t, zone(t, sts...), server(), unknown), "sts.policy"); f.Severity != "unknown" || !strings.Contains(f.Seen, "127.0.0.2:1: connect: connection refused") {
		t.Errorf("%+v", f)
	}
}

// The web server of others is asked with --online only; that it has no address can be
// seen without.
func TestPolicyOfOthers(t *testing.T) {
	elsewhere := []string{sts[0], "mta-sts.lab.example. 60 IN A 127.0.0.2", "mta-sts.lab.example. 60 IN A 127.0.0.3"}
	o := transport.Options{SMTPPort: "1", HTTPSPort: "1"}
	expect(t, lines(check(t, zone(t, elsewhere...), server(), o), "sts"), "ok sts.record lab.example _mta-sts.lab.example")
	expect(t, lines(check(t, zone(t, sts[0]), server(), o), "sts"), "ok sts.record lab.example _mta-sts.lab.example",
		"problem sts.policy lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt")
	if f := find(t, check(t, zone(t, sts[0]), server(), o), "sts.policy"); f.Seen != "mta-sts.lab.example has no address: senders find no policy" {
		t.Errorf("%+v", f)
	}
	o.Online = true
	c := dnstest.Zone(t, append(elsewhere, "lab.example. 60 IN MX 10 mx.lab.example.", "mx.lab.example. 60 IN A 127.0.0.2")...)
	expect(t, lines(check(t, refuses(t, "mta-sts.lab.example.", c), server(), o), "sts"), "unknown sts.record lab.example _mta-sts.lab.example")
	expect(t, lines(check(t, refuses(t, "xyz.", func(r *dns.Msg) *dns.Msg { return c(r) }), server(), o), "sts"),
		"ok sts.record lab.example _mta-sts.lab.example", "unknown sts.policy lab.example https://mta-sts.lab.example/.well-known/mta-sts.txt")
}

// An enforced policy makes of what nobody looks at otherwise a problem.
func TestPolicyThatDemandsTLS(t *testing.T) {
	ca := newAuthority(t, "Lab")
	web := webServer(t, ca.issue(t, "mta-sts.lab.example", 60), func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, goodPolicy) })
	for name, tt := range map[string]struct {
		config *tls.Config
		want   []string
	}{
		"no TLS":          {nil, []string{"problem tls.starttls mx.lab.example (127.0.0.2)"}},
		"nobody's":        {config(authority{}.issue(t, "mx.lab.example", 60)), []string{"ok tls.starttls mx.lab.example (127.0.0.2)", "problem tls.cert mx.lab.example", "ok tls.version mx.lab.example"}},
		"another's":       {config(ca.issue(t, "www.lab.example", 60)), []string{"ok tls.starttls mx.lab.example (127.0.0.2)", "problem tls.cert mx.lab.example", "ok tls.version mx.lab.example"}},
		"ended":           {config(ca.issue(t, "mx.lab.example", -1)), []string{"ok tls.starttls mx.lab.example (127.0.0.2)", "problem tls.cert mx.lab.example", "ok tls.version mx.lab.example"}},
		"ends tomorrow":   {config(ca.issue(t, "mx.lab.example", 1)), []string{"ok tls.starttls mx.lab.example (127.0.0.2)", "warning tls.cert mx.lab.example", "ok tls.version mx.lab.example"}},
		"as it should be": {config(ca.issue(t, "mx.lab.example", 60)), []string{"ok tls.starttls mx.lab.example (127.0.0.2)", "ok tls.cert mx.lab.example", "ok tls.version mx.lab.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, zone(t, sts...), server(), transport.Options{Roots: ca.roots(), SMTPPort: smtpServer(t, tt.config), HTTPSPort: web})
			expect(t, lines(r, "tls"), tt.want...)
		})
	}
}

// A policy that changes needs another id, or senders keep the old one: until the id is
// new, that is a problem. What the resolver remembers of the id does not count.
func TestPolicyThatChanges(t *testing.T) {
	ca := newAuthority(t, "Lab")
	text := ""
	web := webServer(t, ca.issue(t, "mta-sts.lab.example", 60), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, text)
	})
	world := func(resolver, authority string) *dnsclient.Client {
		zone := func(id string) func(*dns.Msg) *dns.Msg {
			return dnstest.Zone(t,
				"lab.example. 60 IN SOA ns.lab.example. h.lab.example. 1 1 1 1 1", "lab.example. 60 IN NS ns.lab.example.", "ns.lab.example. 60 IN A 127.0.0.2",
				"lab.example. 60 IN MX 10 mx.lab.example.", "mx.lab.example. 60 IN A 127.0.0.2", "mta-sts.lab.example. 60 IN A 127.0.0.2",
				`_mta-sts.lab.example. 60 IN TXT "v=STSv1; id=`+id+`"`)
		}
		port := dnstest.ServeAll(t, map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": zone(resolver), "127.0.0.2": zone(authority)})
		c := dnsclient.New("127.0.0.1:" + port)
		c.Port = port
		return c.WithCache()
	}
	var facts []memory.Fact
	for i, step := range []struct{ text, resolver, authority, want, seen string }{
		{goodPolicy, "1", "1", "ok", "v=STSv1; id=1"},
		{strings.ReplaceAll(goodPolicy, "\n", "\r\n") + "x: y\n", "1", "1", "ok", "v=STSv1; id=1"},
		{strings.ReplaceAll(goodPolicy, "604800", "864000"), "1", "1", "problem", "the policy is another than on 2026-11-30, and the id is the same: v=STSv1; id=1"},
		{strings.ReplaceAll(goodPolicy, "604800", "864000"), "1", "1", "problem", "the policy is another than on 2026-11-30, and the id is the same: v=STSv1; id=1"},
		{strings.ReplaceAll(goodPolicy, "604800", "864000"), "1", "2", "ok", "v=STSv1; id=1"},
		{strings.ReplaceAll(goodPolicy, "604800", "864000"), "2", "2", "ok", "v=STSv1; id=2"},
		{goodPolicy, "2", "2", "problem", "the policy is another than on 2026-12-04, and the id is the same: v=STSv1; id=2"},
	} {
		text = step.text
		s := server()
		s.Now = now.AddDate(0, 0, i)
		s.Memory = memory.New(facts, s.Now)
		r := check(t, world(step.resolver, step.authority), s, transport.Options{Roots: ca.roots(), SMTPPort: "1", HTTPSPort: web})
		f := find(t, r, "sts.record")
		if string(f.Severity) != step.want || f.Seen != step.seen {
			t.Errorf("step %d: %+v", i, f)
		}
		if want := s.Now.Format("20060102") + "120000"; f.Severity == "problem" && f.Remedy.String() != `_mta-sts.lab.example. TXT "v=STSv1; id=`+want+`"` {
			t.Errorf("step %d: %s", i, f.Remedy)
		}
		facts = s.Memory.Facts(nil)
	}
}
