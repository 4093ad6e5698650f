package zone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/outside/outsidetest"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient/dnstest"
)

func TestRegistration(t *testing.T) {
	const list = `{"services":[[["test"],["https://rdap.other.example/"]],[["example"],["http://rdap.registry.example/","https://rdap.registry.example/v1/"]]]}`
	answer := func(created, expires, status string) string {
		return fmt.Sprintf(`{"status":[%q],"events":[{"eventAction":"registration","eventDate":%q},{"eventAction":"expiration","eventDate":%q}]}`, status, created, expires)
	}
	const at = "rdap.registry.example/v1/domain/lab.example"
	for _, c := range []struct {
		name  string
		pages map[string]string
		want  string
	}{
		{"right", map[string]string{at: answer("2010-01-02T03:04:05Z", "2027-11-30T00:00:00Z", "active")}, "ok dns.expiry lab.example\nok dns.age lab.example"},
		{"ends in a month", map[string]string{at: answer("2010-01-02T03:04:05Z", "2026-12-30T00:00:00Z", "active")}, "note dns.expiry lab.example\nok dns.age lab.example"},
		{"ends in a week", map[string]string{at: answer("2010-01-02T03:04:05Z", "2026-12-07T00:00:00Z", "active")}, "warning dns.expiry lab.example\nok dns.age lab.example"},
		{"taken out of DNS", map[string]string{at: answer("2010-01-02T03:04:05Z", "2027-12-07T00:00:00Z", "client hold")}, "problem dns.expiry lab.example\nok dns.age lab.example"},
		{"three weeks old", map[string]string{at: answer("2026-11-09T00:00:00Z", "2027-11-09T00:00:00Z", "active")}, "ok dns.expiry lab.example\nwarning dns.age lab.example"},
		{"no dates", map[string]string{at: `{"status":["active"]}`}, ""},
		{"not known to its registry", map[string]string{}, "unknown dns.expiry lab.example"},
		{"of a registry without RDAP", map[string]string{"data.iana.org/rdap/dns.json": `{"services":[]}`}, "unknown dns.expiry lab.example"},
		{"without a list of registries", map[string]string{"data.iana.org/rdap/dns.json": `no JSON`}, "unknown dns.expiry lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serving(t, child())
			plain := w.resolver
			w.resolver = func(r *dns.Msg) *dns.Msg {
				if name := r.Question[0].Name; r.Question[0].Qtype == dns.TypeA && (strings.HasPrefix(name, "rdap.") || name == "data.iana.org.") {
					return dnstest.Reply(t, r, dns.RcodeSuccess, name+" 60 IN A 127.0.0.1")
				}
				return plain(r)
			}
			world := outsidetest.New("127.0.0.1:1")
			world.DNS = w.client(t)
			if c.pages["data.iana.org/rdap/dns.json"] == "" {
				c.pages["data.iana.org/rdap/dns.json"] = list
			}
			outsidetest.Web(t, &world, []string{"data.iana.org", "rdap.registry.example"}, c.pages)
			r := zone.NewOnline(world).Check(t.Context(), server(), domain())
			r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID != "dns.expiry" && f.ID != "dns.age" })
			if got := told(r, true); got != c.want {
				t.Errorf("is:\n%s\nwant:\n%s\n%+v", got, c.want, r.Findings)
			}
		})
	}
}
