package hosts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/hosts"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/outside/outsidetest"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient/dnstest"
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
			w := outsidetest.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
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
			r := hosts.Outside(t.Context(), w, server(), nil)
			if got := told(r, true); got != c.want {
				t.Errorf("is:\n%s\nwant:\n%s\n%+v", got, c.want, r.Findings)
			}
		})
	}
}

// Whether port 25 of this server is open cannot be seen here: it is said how to see it.
func TestPortFromOutside(t *testing.T) {
	w := outsidetest.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeServerFailure) }))
	r := hosts.Outside(t.Context(), w, server(), []subject.Domain{{Name: "lab.example", Receives: true}})
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "net.in25" })
	if i < 0 || r.Findings[i].Severity != finding.Unknown || r.Findings[i].Remedy.String() != "on a machine elsewhere:\nnc -w 10 192.0.2.10 25" {
		t.Errorf("%+v", r.Findings)
	}
	if j := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "net.out25" }); r.Findings[j].Severity != finding.Unknown {
		t.Errorf("a resolver that fails makes of port 25: %+v", r.Findings[j])
	}
}
