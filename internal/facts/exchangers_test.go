package facts_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/facts"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Other MX hosts hand on mail of domains for which DNS prefers them no more than this
// server; what is silent leaves the look incomplete.
func TestSecondaries(t *testing.T) {
	hosts := []string{
		"mail.lab.example. 60 IN A 192.0.2.10", "mx2.lab.example. 60 IN A 198.51.100.20", "mx2.lab.example. 60 IN AAAA 2001:db8::2",
		"mx3.lab.example. 60 IN A 198.51.100.30", "also.lab.example. 60 IN A 192.0.2.10", "inside.lab.example. 60 IN A 127.0.0.1",
	}
	for name, tt := range map[string]struct {
		mx     []string // of lab.example
		silent string   // a name that DNS says nothing of
		want   string
	}{
		"one behind":            {[]string{"10 mail.lab.example.", "20 MX2.lab.example."}, "", "[mx2.lab.example 198.51.100.20 mx2.lab.example 2001:db8::2] true"},
		"one beside":            {[]string{"10 mail.lab.example.", "10 mx3.lab.example."}, "", "[mx3.lab.example 198.51.100.30] true"},
		"one in front":          {[]string{"20 mail.lab.example.", "10 mx3.lab.example."}, "", "[] true"},
		"another name of ours":  {[]string{"10 mail.lab.example.", "20 also.lab.example."}, "", "[] true"},
		"by another name alone": {[]string{"10 also.lab.example.", "20 mx3.lab.example."}, "", "[mx3.lab.example 198.51.100.30] true"},
		"elsewhere":             {[]string{"10 mx2.lab.example.", "20 mx3.lab.example."}, "", "[] true"},
		"no address of others":  {[]string{"10 mail.lab.example.", "20 inside.lab.example."}, "", "[] true"},
		"none":                  {nil, "", "[] true"},
		"no answer":             {[]string{"10 mail.lab.example.", "20 mx2.lab.example."}, "lab.example.", "[] false"},
		"no answer about it":    {[]string{"10 mail.lab.example.", "20 mx2.lab.example.", "30 mx3.lab.example."}, "mx2.lab.example.", "[mx3.lab.example 198.51.100.30] false"},
	} {
		t.Run(name, func(t *testing.T) {
			records := append([]string{"lab.example. 60 IN SOA ns h 1 60 60 60 60"}, hosts...)
			for _, mx := range tt.mx {
				records = append(records, "lab.example. 60 IN MX "+mx)
			}
			zone := dnstest.Zone(t, records...)
			client := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				if r.Question[0].Name == tt.silent {
					return dnstest.Reply(t, r, dns.RcodeServerFailure)
				}
				return zone(r)
			}))
			c := facts.New(machine.New(systemtest.NewMem(), client, machine.Options{}))
			sp := spec.Spec{
				Host:    spec.Host{Hostname: "mail.lab.example", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}},
				Domains: []spec.Domain{{Name: "lab.example", Receive: true}, {Name: "sends.example"}},
			}
			found, whole := c.Secondaries(t.Context(), sp, state.Facts{})
			if got := fmt.Sprint(found, whole); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
