package prove_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsbl/prove"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/resolvconf"
)

// resolver answers recursive questions: a name has an address, "SERVFAIL", "REFUSED" or
// nothing.
func resolver(t *testing.T, recurses bool, entries map[string]string) string {
	t.Helper()
	return dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		rcode, what := dns.RcodeNameError, entries[strings.TrimSuffix(strings.ToLower(q.Name), ".")]
		switch {
		case what == "SERVFAIL":
			rcode = dns.RcodeServerFailure
		case what == "REFUSED":
			rcode = dns.RcodeRefused
		case what != "" && q.Qtype == dns.TypeA:
			rcode = dns.RcodeSuccess
		}
		m := dnstest.Reply(t, r, rcode)
		if m.RecursionAvailable = recurses; rcode == dns.RcodeSuccess {
			m.Answer = dnstest.RRs(t, q.Name+" 60 IN A "+what)
		}
		return m
	})
}

const (
	listed = "2.0.0.127.bl.lab.example"
	clear  = "1.0.0.127.bl.lab.example"
)

func TestDoor(t *testing.T) {
	site, err := dnsbl.Parse("bl.lab.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		entries map[string]string
		want    string
		kind    prove.Kind
	}{
		{"in service", map[string]string{listed: "127.0.0.2"}, "", 0},
		{"dead", nil, "it lacks its test entry: it is dead, or does not answer this resolver", prove.Silent},
		{"lists everything", map[string]string{listed: "127.0.0.2", clear: "127.0.0.2"}, "it lists everything, even what no list has", prove.Wrong},
		{"for sale", map[string]string{listed: "203.0.113.80"}, "its test entry says 203.0.113.80, which no block list does", prove.Wrong},
		{"refuses this resolver", map[string]string{listed: "127.255.255.254"}, "it does not answer this resolver: it is a public one, or has no name of its own", prove.Refuses},
		{"asked too often", map[string]string{listed: "127.0.0.2", clear: "127.255.255.255"}, "it was asked too often", prove.Refuses},
		{"fails", map[string]string{listed: "SERVFAIL"}, "it does not answer: ", prove.Unanswered},
		{"of domains", map[string]string{"test.bl.lab.example": "127.0.0.2"}, "it lists domains, and Postfix would ask it about addresses", prove.Wrong},
	} {
		why := prove.Asker{DNS: dnsclient.New(resolver(t, true, tt.entries))}.Door(t.Context(), site)
		if !strings.HasPrefix(why.Text, tt.want) || tt.want == "" && why.Text != "" || why.Kind != tt.kind {
			t.Errorf("%s: %+v", tt.name, why)
		}
	}
}

// What a name server on this machine does tells what has to be done about it.
func TestResolves(t *testing.T) {
	site, err := dnsbl.Parse("bl.lab.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   string
		want resolvconf.Resolves
	}{
		{"by itself", resolver(t, true, map[string]string{listed: "127.0.0.2"}), resolvconf.ByItself},
		{"refuses", resolver(t, true, map[string]string{listed: "REFUSED"}), resolvconf.Refuses},
		{"for its own zones alone", resolver(t, false, nil), resolvconf.Refuses},
		{"passes on", resolver(t, true, map[string]string{listed: "127.255.255.254"}), resolvconf.PassesOn},
		{"the list is dead", resolver(t, true, nil), resolvconf.NotKnown},
		{"nothing there", "", resolvconf.NotRunning},
	} {
		if got := prove.Resolves(t.Context(), tt.at, site); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
