package hosts_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/hosts"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/outside/outsidetest"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

const (
	network    = "stat.ripe.net/data/network-info/data.json?resource=192.0.2.10"
	validation = "stat.ripe.net/data/rpki-validation/data.json?resource=64500&prefix=192.0.2.0/24"
)

func TestOutside(t *testing.T) {
	info := map[string]string{network: `{"data":{"asns":["64500"],"prefix":"192.0.2.0/24"}}`}
	with := func(status string) map[string]string {
		return map[string]string{network: info[network], validation: `{"data":{"status":"` + status + `"}}`}
	}
	for _, c := range []struct {
		name   string
		change func(w *outside.World)
		pages  map[string]string
		ahead  time.Duration
		want   string
	}{
		{"right", nil, with("valid"), 0, "ok net.out25 IPv4\nok net.clock clock beside time servers\nok net.rpki 192.0.2.10"},
		{"port 25 is closed", func(w *outside.World) { w.SMTP = "1" }, with("unknown"), 0, "problem net.out25 IPv4\nok net.clock clock beside time servers\nnote net.rpki 192.0.2.10"},
		{"the clock is behind", nil, with("invalid_asn"), 2 * time.Minute, "ok net.out25 IPv4\nwarning net.clock clock beside time servers\nnote net.rpki 192.0.2.10"},
		{"the clock is wrong", nil, info, -time.Hour, "ok net.out25 IPv4\nproblem net.clock clock beside time servers\nunknown net.rpki 192.0.2.10"},
		{"nobody answers", func(w *outside.World) { w.SMTP, w.NTP, w.HTTPS = "1", "1", "1" }, nil, 0, "problem net.out25 IPv4\nunknown net.clock clock beside time servers\nunknown net.rpki 192.0.2.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := outsidetest.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				switch name := r.Question[0].Name; r.Question[0].Qtype {
				case dns.TypeMX:
					return dnstest.Reply(t, r, dns.RcodeSuccess, name+" 60 IN MX 10 mx."+name)
				case dns.TypeA:
					return dnstest.Reply(t, r, dns.RcodeSuccess, name+" 60 IN A 127.0.0.1")
				}
				return dnstest.Reply(t, r, dns.RcodeSuccess)
			}))
			outsidetest.Web(t, &w, []string{"stat.ripe.net"}, c.pages)
			outsidetest.Mail(t, &w, "220 hello\r\n")
			outsidetest.Clock(t, &w, c.ahead)
			if c.change != nil {
				c.change(&w)
			}
			r := hosts.Outside(t.Context(), w, nil, server(), nil)
			if got := told(r, true); got != c.want {
				t.Errorf("is:\n%s\nwant:\n%s\n%+v", got, c.want, r.Findings)
			}
		})
	}
}

// Whether port 25 of this server is open cannot be seen here: that somebody far away has
// connected is in the log, else it is said how to see it. Only families count in which an
// MX leads here.
func TestPortFromOutside(t *testing.T) {
	const line = "1764489600.123456 mail postfix/smtpd[77]: connect from "
	own := server()
	own.Facts.Addresses = append(own.Facts.Addresses, netip.MustParseAddr("2001:db8::10"))
	for _, tt := range []struct{ name, log, want, seen string }{
		{"nobody", "", "unknown net.in25 IPv4\nunknown net.in25 IPv6", "from inside nobody can see that, and the log has no connection from elsewhere within a week"},
		{"by IPv4", line + "mx.far.example[203.0.113.7]\n", "ok net.in25 IPv4\nunknown net.in25 IPv6", "203.0.113.7 connected on 2025-11-30"},
		{"by both", line + "unknown[2a00:1::7]\n" + line + "unknown[203.0.113.7]\n", "ok net.in25 IPv4\nok net.in25 IPv6", "203.0.113.7 connected on 2025-11-30"},
		{"to postscreen", "1764489600.123456 mail postfix/postscreen[78]: CONNECT from [203.0.113.7]:40612 to [192.0.2.10]:25\n", "ok net.in25 IPv4\nunknown net.in25 IPv6", "203.0.113.7 connected on 2025-11-30"},
		{
			"from here and from near", line + "localhost[127.0.0.1]\n" + line + "mail.lab.example[192.0.2.10]\n" + line + "unknown[192.0.77.1]\n" + line + "unknown[10.0.0.1]\n" + line + "unknown[2001:db8:5::1]\n",
			"unknown net.in25 IPv4\nunknown net.in25 IPv6", "",
		},
		{"to another service", "1764489600.123456 mail postfix/submission/smtpd[77]: connect from unknown[203.0.113.7]\n", "unknown net.in25 IPv4\nunknown net.in25 IPv6", ""},
		{"forged", line + "x[203.0.113.7\n" + line + "unknown[300.0.113.7]\nconnect from unknown[203.0.113.7]\n", "unknown net.in25 IPv4\nunknown net.in25 IPv6", ""},
	} {
		w := outsidetest.New(dnstest.Serve(t, "127.0.0.1", dnstest.Zone(t, "lab.example. 60 IN MX 10 mail.lab.example.",
			"mail.lab.example. 60 IN A 192.0.2.10", "mail.lab.example. 60 IN AAAA 2001:db8::10")))
		m := systemtest.NewMem()
		m.OnRun = func(c system.Command) (system.Result, error) {
			if got := strings.Join(c.Argv, " "); got != "journalctl -q --no-pager -o short-unix --since -7d -r -n 2000 -t postfix/smtpd -t postfix/postscreen -g ^connect from" {
				t.Errorf("runs %s", got)
			}
			return system.Result{Stdout: []byte(tt.log)}, nil
		}
		r := hosts.Outside(t.Context(), w, m, own, []subject.Domain{{Name: "lab.example", Receives: true}})
		r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID != "net.in25" })
		if got := told(r, true); got != tt.want || tt.seen != "" && r.Findings[0].Seen != tt.seen {
			t.Errorf("%s: %s, %+v", tt.name, got, r.Findings)
		}
		if f := r.Findings[1]; f.Severity == finding.Unknown && f.Remedy.String() != "on a machine elsewhere:\nnc -w 10 2001:db8::10 25" {
			t.Errorf("%s: %+v", tt.name, f)
		}
		v4 := server()
		if r := hosts.Outside(t.Context(), w, nil, v4, []subject.Domain{{Name: "lab.example", Receives: true}}); strings.Contains(told(r, true), "net.in25 IPv6") {
			t.Errorf("%s: %+v", tt.name, r.Findings)
		}
	}
}

// A resolver that fails tells nothing about port 25.
func TestPortWithoutResolver(t *testing.T) {
	w := outsidetest.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeServerFailure) }))
	r := hosts.Outside(t.Context(), w, nil, server(), []subject.Domain{{Name: "lab.example", Receives: true}})
	if j := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "net.out25" }); r.Findings[j].Severity != finding.Unknown {
		t.Errorf("a resolver that fails makes of port 25: %+v", r.Findings[j])
	}
}
