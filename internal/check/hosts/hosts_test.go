package hosts_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/hosts"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// server is mail.lab.example with one address, set up by mailsetup.
func server() subject.Server {
	a := netip.MustParseAddr("192.0.2.10")
	return subject.Server{
		Name: "mail.lab.example", SetUp: true, Now: time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC),
		Egress: []subject.Egress{{Address: a, Origin: "host.toml"}},
		Spec:   spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Addresses: []netip.Addr{a}}},
		Facts: state.Facts{
			Addresses: []netip.Addr{a},
			Postfix:   &state.Postfix{Value: map[string]string{"inet_protocols": "all"}, Raw: map[string]string{}},
		},
	}
}

// healthy are the records of that server's zones.
func healthy() []string {
	return []string{
		"lab.example. 60 IN SOA mail.lab.example. h.lab.example. 8 3600 900 604800 60", "lab.example. 60 IN NS ns.lab.example.",
		"ns.lab.example. 60 IN A 127.0.0.2", "mail.lab.example. 60 IN A 192.0.2.10",
		"2.0.192.in-addr.arpa. 60 IN SOA mail.lab.example. h.lab.example. 8 3600 900 604800 60", "2.0.192.in-addr.arpa. 60 IN NS ns.lab.example.",
		"10.2.0.192.in-addr.arpa. 60 IN PTR mail.lab.example.",
	}
}

// with returns the records without those that begin with a text, and with others.
func with(gone string, more ...string) []string {
	return append(slices.DeleteFunc(healthy(), func(r string) bool { return gone != "" && strings.HasPrefix(r, gone) }), more...)
}

// world is a resolver, and the one name server of all zones.
func world(t *testing.T, resolver, authority func(r *dns.Msg) *dns.Msg) *dnsclient.Client {
	t.Helper()
	port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{"127.0.0.1": resolver, "127.0.0.2": authority})
	c := dnsclient.New("127.0.0.1:" + port)
	c.Port, c.Timeout = port, time.Second
	return c.WithCache()
}

// told writes findings that are not OK, and the OK ones with short.
func told(r finding.Result, short bool) string {
	var lines []string
	for _, f := range r.Findings {
		if f.Severity == finding.OK && !short {
			continue
		}
		line := strings.Join([]string{string(f.Severity), f.ID, f.Subject}, " ")
		if f.CausedBy != "" {
			line += " by " + f.CausedBy
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func is(t *testing.T, r finding.Result, want string) {
	t.Helper()
	findingtest.Remedies(t, r.Findings)
	if got := told(r, false); got != strings.TrimSpace(want) {
		t.Errorf("is:\n%s\nwant:\n%s\n%+v", got, want, r.Findings)
	}
}

func TestHealthyServer(t *testing.T) {
	c := world(t, dnstest.Zones(t, healthy()), dnstest.Zones(t, healthy()))
	files := detecttest.New()
	files.PutFile("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 mail.lab.example mail\n")
	is(t, hosts.Name(t.Context(), c, files, server(), nil), "note host.loopback mail.lab.example")
	r := hosts.Addresses(t.Context(), c, server())
	const want = `ok addr.egress 192.0.2.10
ok addr.ptr 192.0.2.10
ok addr.ptr-source 192.0.2.10
ok addr.fcrdns 192.0.2.10
ok addr.helo 192.0.2.10`
	if got := told(r, true); got != want {
		t.Errorf("is:\n%s\nwant:\n%s", got, want)
	}
}

func TestPTR(t *testing.T) {
	const ptr = "10.2.0.192.in-addr.arpa."
	for _, c := range []struct {
		name    string
		records []string
		want    string
	}{
		{"none", with(ptr), "problem addr.ptr 192.0.2.10"},
		{"the name has another address", with("mail", "mail.lab.example. 60 IN A 192.0.2.99"), "problem addr.fcrdns 192.0.2.10"},
		{"the name has no address", with("mail"), "problem addr.fcrdns 192.0.2.10 by host.forward"},
		{
			"of the provider, without address", with(ptr, ptr+" 60 IN PTR host10.lab.example."),
			"problem addr.fcrdns 192.0.2.10\nwarning addr.helo 192.0.2.10 by addr.fcrdns",
		},
		{
			"of the provider, confirmed", with(ptr, ptr+" 60 IN PTR host10.lab.example.", "host10.lab.example. 60 IN A 192.0.2.10"),
			"warning addr.helo 192.0.2.10",
		},
		{"one of several", with("", ptr+" 60 IN PTR host10.lab.example.", ptr+" 60 IN PTR www.lab.example."), ""},
		{
			"delegated within a network (RFC 2317)", with(ptr, ptr+" 60 IN CNAME 10.8-15.2.0.192.in-addr.arpa.", "8-15.2.0.192.in-addr.arpa. 60 IN SOA mail.lab.example. h.lab.example. 8 3600 900 604800 60",
				"8-15.2.0.192.in-addr.arpa. 60 IN NS ns.lab.example.", "10.8-15.2.0.192.in-addr.arpa. 60 IN PTR mail.lab.example."), "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			resolve := dnstest.Zones(t, c.records)
			client := world(t, func(r *dns.Msg) *dns.Msg { // a resolver follows aliases
				m := resolve(r)
				if len(m.Answer) == 1 && m.Answer[0].Header().Rrtype == dns.TypeCNAME && r.Question[0].Qtype == dns.TypePTR {
					next := new(dns.Msg).SetQuestion(m.Answer[0].(*dns.CNAME).Target, dns.TypePTR)
					m.Answer = append(m.Answer, resolve(next).Answer...)
				}
				return m
			}, dnstest.Zones(t, c.records))
			is(t, hosts.Addresses(t.Context(), client, server()), c.want)
		})
	}
}

// A resolver that makes up a PTR, as dnsmasq does from /etc/hosts, is not believed.
func TestPTRThatTheWorldDoesNotSee(t *testing.T) {
	c := world(t, dnstest.Zones(t, healthy()), dnstest.Zones(t, with("10.2.0.192")))
	is(t, hosts.Addresses(t.Context(), c, server()), "problem addr.ptr 192.0.2.10\nwarning addr.ptr-source 192.0.2.10")
}

func TestPTRThatNobodyTells(t *testing.T) {
	t.Parallel()
	fails := func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeServerFailure) }
	is(t, hosts.Addresses(t.Context(), world(t, fails, fails), server()), "unknown addr.ptr 192.0.2.10\nunknown addr.ptr-source 192.0.2.10")
	silent := func(*dns.Msg) *dns.Msg { return nil }
	is(t, hosts.Addresses(t.Context(), world(t, silent, silent), server()),
		"unknown addr.ptr 192.0.2.10 by net.resolver\nunknown addr.ptr-source 192.0.2.10 by net.resolver")
}

func TestEgress(t *testing.T) {
	also := func(address, origin string) func(*subject.Server) {
		return func(s *subject.Server) {
			s.Egress = append(s.Egress, subject.Egress{Address: netip.MustParseAddr(address), Origin: origin})
		}
	}
	for _, c := range []struct {
		name   string
		change func(s *subject.Server)
		want   string
		remedy string
	}{
		{"a smarthost", func(s *subject.Server) { s.Smarthost = "[smtp.provider.example]:587" }, "ok addr.egress [smtp.provider.example]:587", ""},
		{"behind a router", func(s *subject.Server) {
			s.SetUp, s.Spec = false, spec.Spec{}
			s.Egress, s.Hidden = nil, []subject.Egress{{Address: netip.MustParseAddr("10.1.2.3"), Origin: "route"}}
		}, "unknown addr.egress ", "mailsetup init --ip ADDRESS"},
		{
			"another address of the network", also("192.0.2.11", "route"), "ok addr.egress 192.0.2.10\nproblem addr.egress 192.0.2.11",
			"postconf -e 'smtp_bind_address = 192.0.2.10' && systemctl reload postfix\nor declare it:\nmailsetup init --ip 192.0.2.11 --ip 192.0.2.10",
		},
		{
			"that of one transport", also("192.0.2.11", "smtp_bind_address of slow/unix"), "ok addr.egress 192.0.2.10\nwarning addr.egress 192.0.2.11",
			"mailsetup init --ip 192.0.2.11 --ip 192.0.2.10",
		},
		{
			"IPv6 that was not declared", also("2001:db8::f00", "route"), "ok addr.egress 192.0.2.10\nproblem addr.egress 2001:db8::f00",
			"postconf -e 'inet_protocols = ipv4' && systemctl restart postfix\nor declare it:\nmailsetup init --ip 2001:db8::f00 --ip 192.0.2.10",
		},
		{"nothing leaves", func(s *subject.Server) {
			s.Facts.Postfix.Value["default_transport"] = "error:mail stays here"
		}, "", ""},
		{"nothing sends", func(s *subject.Server) { s.Name = "" }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server()
			c.change(&s)
			r := hosts.Addresses(t.Context(), nil, s)
			if got := told(r, true); got != c.want {
				t.Errorf("is:\n%s\nwant:\n%s", got, c.want)
			}
			if n := len(r.Findings); n > 0 && r.Findings[n-1].Remedy.String() != c.remedy {
				t.Errorf("remedy %q, want %q", r.Findings[n-1].Remedy, c.remedy)
			}
		})
	}
}

func TestHELOName(t *testing.T) {
	service := func(option string) func(*subject.Server) {
		return func(s *subject.Server) {
			name, value, _ := strings.Cut(option, "=")
			s.Facts.Postfix.Services = []state.Service{
				{Name: "relay/unix", Command: "smtp", Options: []state.Option{{Name: name, Value: value, Expanded: value}}},
				{Name: "lmtp/unix", Command: "lmtp", Options: []state.Option{{Name: "smtp_helo_name", Expanded: "localhost"}}},
			}
		}
	}
	named := func(name string) func(*subject.Server) { return func(s *subject.Server) { s.Name = name } }
	for _, c := range []struct {
		name   string
		change func(*subject.Server)
		want   string
		remedy string
	}{
		{"short", named("mail"), "problem host.fqdn mail", "postconf -e 'smtp_helo_name = mail.lab.example' && systemctl reload postfix"},
		{"localhost", named("localhost.localdomain"), "problem host.fqdn localhost.localdomain", "postconf -e 'smtp_helo_name = mail.lab.example' && systemctl reload postfix"},
		{".local", named("mail.office.local"), "problem host.fqdn mail.office.local", "postconf -e 'smtp_helo_name = mail.lab.example' && systemctl reload postfix"},
		{"an address", named("192.0.2.10"), "problem host.fqdn 192.0.2.10", "postconf -e 'smtp_helo_name = mail.lab.example' && systemctl reload postfix"},
		{"an address literal", named("[IPv6:2001:db8::1]"), "problem host.fqdn [ipv6:2001:db8::1]", "postconf -e 'smtp_helo_name = mail.lab.example' && systemctl reload postfix"},
		{"of one transport", service("smtp_helo_name=localhost"), "ok host.fqdn mail.lab.example\nok host.forward mail.lab.example\nproblem host.fqdn localhost", "postconf -P relay/unix/smtp_helo_name=mail.lab.example && systemctl reload postfix"},
		{"of one transport, by its host name", service("myhostname=box"), "ok host.fqdn mail.lab.example\nok host.forward mail.lab.example\nproblem host.fqdn box", "postconf -P relay/unix/myhostname=mail.lab.example && systemctl reload postfix"},
		{"without address", named("gone.lab.example"), "note host.fqdn gone.lab.example\nproblem host.forward gone.lab.example", "publish in DNS:\ngone.lab.example. IN A 192.0.2.10"},
		{"with an address of others", named("www.lab.example"), "note host.fqdn www.lab.example\nwarning host.forward www.lab.example by addr.fcrdns", "publish in DNS:\nwww.lab.example. IN A 192.0.2.10"},
		{"an alias", named("alias.lab.example"), "note host.fqdn alias.lab.example\nnote host.forward alias.lab.example", ""},
		{"of the domain", named("lab.example"), "note host.fqdn lab.example\nok host.forward lab.example", ""},
		{"behind a smarthost", func(s *subject.Server) { s.Name, s.Smarthost = "gone.lab.example", "smtp.provider.example" }, "note host.fqdn gone.lab.example", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server()
			c.change(&s)
			records := with("", "www.lab.example. 60 IN A 192.0.2.80", "lab.example. 60 IN A 192.0.2.10")
			client := world(t, func(r *dns.Msg) *dns.Msg {
				if r.Question[0].Name == "alias.lab.example." && r.Question[0].Qtype == dns.TypeA {
					return dnstest.Reply(t, r, dns.RcodeSuccess, "alias.lab.example. 60 IN CNAME mail.lab.example.", "mail.lab.example. 60 IN A 192.0.2.10")
				}
				return dnstest.Zones(t, records)(r)
			}, dnstest.Zones(t, records))
			r := hosts.Name(t.Context(), client, detecttest.New(), s, []subject.Domain{{Name: "lab.example"}})
			r.Findings = r.Findings[:len(r.Findings)-1] // host.loopback
			if got := told(r, true); got != c.want {
				t.Errorf("is:\n%s\nwant:\n%s", got, c.want)
			}
			if last := r.Findings[len(r.Findings)-1]; last.Remedy.String() != c.remedy {
				t.Errorf("remedy %q, want %q", last.Remedy, c.remedy)
			}
		})
	}
}

func TestNameInHosts(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        "ok host.loopback mail.lab.example",
		"127.0.1.1 mail.lab.example mail\n":       "note host.loopback mail.lab.example",
		"192.0.2.10 Mail.Lab.Example mail\n":      "ok host.loopback mail.lab.example",
		"# old\n203.0.113.9 mail.lab.example\n":   "warning host.loopback mail.lab.example",
		"# 203.0.113.9 mail.lab.example\nx y\n\n": "ok host.loopback mail.lab.example",
	} {
		files := detecttest.New()
		files.PutFile("/etc/hosts", text)
		r := hosts.Name(t.Context(), nil, files, server(), nil)
		r.Findings = r.Findings[1:]
		if got := told(r, true); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if strings.HasPrefix(want, "warning") && r.Findings[0].Remedy.String() != "sed -i '2s/^[^[:space:]]*/127.0.1.1/' /etc/hosts" {
			t.Errorf("remedy %s", r.Findings[0].Remedy)
		}
	}
}

func TestResolver(t *testing.T) {
	t.Parallel()
	root := func(rcode int, validated bool) func(r *dns.Msg) *dns.Msg {
		return func(r *dns.Msg) *dns.Msg {
			m := dnstest.Reply(t, r, rcode)
			m.AuthenticatedData = validated && r.AuthenticatedData
			return m
		}
	}
	lists := func(s *subject.Server) {
		s.Facts.Postfix.Value["smtpd_recipient_restrictions"] = "reject_rbl_client zen.spamhaus.org"
	}
	dane := func(s *subject.Server) { s.Facts.Postfix.Value["smtp_tls_security_level"] = "dane" }
	for _, c := range []struct {
		name   string
		answer func(r *dns.Msg) *dns.Msg
		change func(s *subject.Server)
		want   string
	}{
		{"local, validates", root(dns.RcodeSuccess, true), nil, "ok"},
		{"does not validate", root(dns.RcodeSuccess, false), nil, "note"},
		{"does not validate, DANE", root(dns.RcodeSuccess, false), dane, "warning"},
		{"validates, DANE", root(dns.RcodeSuccess, true), dane, "ok"},
		{"local, block lists", root(dns.RcodeSuccess, true), lists, "ok"},
		{"no way to the root", root(dns.RcodeServerFailure, false), dane, "note"},
		{"refuses", root(dns.RcodeRefused, false), nil, "problem"},
		{"silent", func(*dns.Msg) *dns.Msg { return nil }, nil, "problem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server()
			if c.change != nil {
				c.change(&s)
			}
			client := world(t, c.answer, c.answer)
			r := hosts.Network(t.Context(), client, client, detecttest.New(), s)
			if f := r.Findings[0]; f.ID != "net.resolver" || string(f.Severity) != c.want {
				t.Errorf("%+v, want %s", f, c.want)
			}
		})
	}
}

// Of two resolvers, one of which is down, the other takes the place.
func TestOneOfTwoResolversIsDown(t *testing.T) {
	up := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, dns.RcodeSuccess) })
	c := dnsclient.New("127.0.0.1:1", up)
	c.Timeout = 200 * time.Millisecond
	files := detecttest.New()
	files.PutFile("/.dockerenv", "")
	is(t, hosts.Network(t.Context(), c, c, files, server()), "warning net.resolver 127.0.0.1\nnote net.resolver 127.0.0.1")
}

func TestSearchList(t *testing.T) {
	answer := func(r *dns.Msg) *dns.Msg {
		if strings.HasSuffix(r.Question[0].Name, ".wild.example.") && r.Question[0].Qtype == dns.TypeTXT {
			return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "v=DMARC1; p=none"`)
		}
		return dnstest.Reply(t, r, dns.RcodeNameError)
	}
	c := world(t, answer, answer)
	for conf, want := range map[string]string{
		"search wild.example lab.example\n": "note net.search wild.example\nok net.search lab.example",
		"nameserver 127.0.0.1\n":            "ok net.search office.example", // that of the host's name
		"search .\n":                        "",
	} {
		files, s := detecttest.New(), server()
		files.PutFile("/etc/resolv.conf", conf)
		s.Facts.Hostname = "mail.office.example"
		r := hosts.Network(t.Context(), c, c, files, s)
		r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID != "net.search" })
		if got := told(r, true); got != want {
			t.Errorf("%q: %s, want %s", conf, got, want)
		}
	}
}

// A clock that is behind what was written down here is wrong, whatever sets it.
func TestClock(t *testing.T) {
	s, files := server(), detecttest.New()
	files.PutFile("/run/systemd/container", "systemd-nspawn\n")
	for ahead, want := range map[time.Duration]string{0: "", time.Minute: "", time.Hour: "problem net.clock clock"} {
		s.Ledger = keyring.Ledger{"lab.example": {{Since: map[keyring.Stage]time.Time{keyring.Active: s.Now.Add(ahead)}}}}
		is(t, hosts.Network(t.Context(), nil, nil, files, s), want)
	}
}
