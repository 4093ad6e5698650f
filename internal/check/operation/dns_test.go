package operation_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/operation"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

func specDomain(name string) spec.Domain { return spec.Domain{Name: name} }

// resolver serves a zone, as its name server and as the resolver of this machine.
func resolver(t *testing.T, records ...string) *dnsclient.Client {
	t.Helper()
	addr := dnstest.Serve(t, "127.0.0.1", dnstest.Zone(t, append(records,
		"shop.example. 60 IN SOA ns.shop.example. root.shop.example. 1 60 60 60 60",
		"shop.example. 60 IN NS ns.shop.example.", "ns.shop.example. 60 IN A 127.0.0.1")...))
	c := dnsclient.New(addr)
	_, c.Port, _ = net.SplitHostPort(addr)
	return c.WithCache()
}

func TestWhatMailProgramsFind(t *testing.T) {
	d := subject.Domain{Name: "shop.example", Sends: true, Receives: true}
	s := server()
	s.Facts.Postfix.Services = []state.Service{{Name: "submissions/inet"}, {Name: "submission/inet"}}
	for name, tt := range map[string]struct {
		records []string
		want    map[string]finding.Severity
	}{
		"nothing": {nil, map[string]finding.Severity{"client.srv shop.example": finding.Note, "autoconfig shop.example autoconfig.shop.example": finding.Note}},
		"both": {
			[]string{
				"_submissions._tcp.shop.example. 60 IN SRV 0 1 465 ns.shop.example.", "_submission._tcp.shop.example. 60 IN SRV 0 0 0 .",
				"autoconfig.shop.example. 60 IN A 192.0.2.1",
			},
			map[string]finding.Severity{
				"client.srv shop.example _submissions._tcp.shop.example": finding.OK, "client.srv shop.example _submission._tcp.shop.example": finding.OK,
				"autoconfig shop.example autoconfig.shop.example": finding.OK,
			},
		},
		"nowhere": {
			[]string{"_submissions._tcp.shop.example. 60 IN SRV 0 1 465 gone.shop.example."},
			map[string]finding.Severity{
				"client.srv shop.example _submissions._tcp.shop.example": finding.Note,
				"autoconfig shop.example autoconfig.shop.example":        finding.Note,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := resolver(t, tt.records...)
			r := operation.Services(context.Background(), c, s, d)
			r.Add(operation.Autoconfig(context.Background(), c, s, d))
			got := byWhat(t, r)
			if len(got) != len(tt.want) {
				t.Errorf("%+v", got)
			}
			for what, severity := range tt.want {
				if got[what].Severity != severity {
					t.Errorf("%s: %+v", what, got[what])
				}
			}
		})
	}
	c := resolver(t)
	const want = "_submissions._tcp.shop.example. 3600 IN SRV 0 1 465 mail.shop.example.\n_submission._tcp.shop.example. 3600 IN SRV 0 1 587 mail.shop.example."
	if r := operation.Services(context.Background(), c, s, d); r.Findings[0].Remedy.String() != want {
		t.Errorf("publish\n%s", r.Findings[0].Remedy)
	}
	if r := operation.Services(context.Background(), c, server(), d); len(r.Findings) > 0 {
		t.Errorf("nobody logs in: %+v", r)
	}
	if r := operation.Autoconfig(context.Background(), c, s, subject.Domain{Name: "shop.example", Sends: true}); len(r.Findings) > 0 {
		t.Errorf("nobody has mail there: %+v", r)
	}
}

const dmarc = "v=DMARC1; p=none"

// watched is a domain whose DMARC record all name servers had.
func watched() (subject.Server, []subject.Domain, func(string) keyring.LastCheck) {
	d := spec.Domain{Name: "shop.example", DMARC: spec.DMARC{Policy: "none"}}
	s := server()
	s.SetUp, s.Spec = true, spec.Spec{Host: spec.Host{Hostname: "mail.shop.example", DNS: spec.DNSBind}, Domains: []spec.Domain{d}}
	last := keyring.LastCheck{Watch: keyring.Watch{SeenComplete: []string{"_dmarc.shop.example TXT"}}}
	return s, []subject.Domain{{Name: d.Name, Wanted: &d, Sends: true}}, func(string) keyring.LastCheck { return last }
}

func TestRecordsThatAreNoLongerAsPublished(t *testing.T) {
	s, domains, last := watched()
	for name, tt := range map[string]struct {
		records  []string
		what     string
		severity finding.Severity
		about    string
	}{
		"as published": {[]string{`_dmarc.shop.example. 60 IN TXT "` + dmarc + `"`}, "ops.changed shop.example", finding.OK, ""},
		"gone":         {nil, "ops.changed shop.example _dmarc.shop.example TXT", finding.Problem, "dmarc.exists"},
		"another one":  {[]string{`_dmarc.shop.example. 60 IN TXT "v=DMARC1; p=reject"`}, "ops.changed shop.example _dmarc.shop.example TXT", finding.Note, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := byWhat(t, operation.Changed(context.Background(), resolver(t, tt.records...), s, domains, last))
			f, ok := got[tt.what]
			if !ok || len(got) != 1 || f.Severity != tt.severity || f.CausedBy != tt.about {
				t.Fatalf("%+v", got)
			}
			if f.Severity == finding.Problem && (!f.Fixable || f.Remedy.String() != "mailsetup init --yes") {
				t.Errorf("%+v", f)
			}
		})
	}
	never := func(string) keyring.LastCheck { return keyring.LastCheck{} }
	if r := operation.Changed(context.Background(), resolver(t), s, domains, never); len(r.Findings) > 0 {
		t.Errorf("nobody looked before: %+v", r)
	}
}

// One answer is no alarm: the resolver may be wrong where the name server is not, and
// nothing is known of a name server that is silent.
func TestTwoLooks(t *testing.T) {
	s, domains, last := watched()
	right := dnstest.Zone(t, `_dmarc.shop.example. 60 IN TXT "`+dmarc+`"`, "shop.example. 60 IN SOA ns.shop.example. root.shop.example. 1 60 60 60 60",
		"shop.example. 60 IN NS ns.shop.example.", "ns.shop.example. 60 IN A 127.0.0.1")
	for name, tt := range map[string]struct {
		serves   bool
		severity finding.Severity
	}{"the name server is right": {true, finding.OK}, "the name server is silent": {false, finding.Unknown}} {
		t.Run(name, func(t *testing.T) {
			authority := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				if !tt.serves {
					return dnstest.Reply(t, r, dns.RcodeServerFailure)
				}
				return right(r)
			})
			c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				if r.Question[0].Qtype == dns.TypeTXT {
					return dnstest.Reply(t, r, dns.RcodeNameError)
				}
				return right(r)
			}))
			_, c.Port, _ = net.SplitHostPort(authority)
			c.Timeout = 200 * time.Millisecond
			got := byWhat(t, operation.Changed(context.Background(), c, s, domains, last))
			if f := got["ops.changed shop.example"]; len(got) != 1 || f.Severity != tt.severity {
				t.Errorf("%+v", got)
			}
		})
	}
}
