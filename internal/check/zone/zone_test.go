package zone_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

type answers = func(r *dns.Msg) *dns.Msg

// parent are the records of the zone example., whose server is 127.0.0.4.
func parent() []string {
	return []string{
		"example. 60 IN SOA ns.example. h.example. 1 3600 900 604800 60", "example. 60 IN NS ns.example.", "ns.example. 60 IN A 127.0.0.4",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
	}
}

// child are the records of lab.example, whose servers are 127.0.0.2 and 127.0.0.3.
func child() []string {
	return []string{
		"lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 3600 900 604800 60",
		"lab.example. 60 IN NS ns1.lab.example.", "lab.example. 60 IN NS ns2.lab.example.",
		"ns1.lab.example. 60 IN A 127.0.0.2", "ns2.lab.example. 60 IN A 127.0.0.3",
		"lab.example. 60 IN MX 10 mail.lab.example.", "mail.lab.example. 60 IN A 192.0.2.10", "mail.lab.example. 60 IN AAAA 2001:db8::10",
		`lab.example. 60 IN TXT "v=spf1 mx -all"`, `_dmarc.lab.example. 60 IN TXT "v=DMARC1; p=none"`,
		`s1._domainkey.lab.example. 60 IN TXT "v=DKIM1; p=QQ=="`,
	}
}

// without returns records without those that begin with a text, and with others.
func without(list []string, gone string, more ...string) []string {
	return append(slices.DeleteFunc(list, func(r string) bool { return gone != "" && strings.HasPrefix(r, gone) }), more...)
}

// world is a resolver on 127.0.0.1, the servers of the zone and that of its parent.
type world struct{ resolver, one, two, parent answers }

// serving is a world in which all have the same records of lab.example.
func serving(t *testing.T, records []string) world {
	all := slices.Concat(records, parent())
	return world{dnstest.Zones(t, all), dnstest.Zones(t, records), dnstest.Zones(t, records), dnstest.Zones(t, parent())}
}

func (w world) client(t *testing.T) *dnsclient.Client {
	t.Helper()
	servers := map[string]answers{"127.0.0.1": w.resolver, "127.0.0.2": w.one, "127.0.0.3": w.two, "127.0.0.4": w.parent}
	port := dnstest.ServeAll(t, servers)
	c := dnsclient.New("127.0.0.1:" + port)
	c.Port, c.Timeout = port, time.Second
	return c.WithCache()
}

func server() subject.Server {
	four, six := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")
	return subject.Server{
		Name: "mail.lab.example", SetUp: true, Now: time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC),
		Egress: []subject.Egress{{Address: four, Origin: "host.toml"}, {Address: six, Origin: "host.toml"}},
		Spec:   spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", DNS: spec.DNSBind, Addresses: []netip.Addr{four, six}}},
		Facts:  state.Facts{Addresses: []netip.Addr{four, six}},

		Transfers: &subject.Transfers{Within: 1200 * time.Millisecond},
	}
}

func domain() subject.Domain {
	return subject.Domain{
		Name: "lab.example", Wanted: &spec.Domain{Name: "lab.example", Receive: true}, Sends: true, Receives: true, Declared: true,
		Keys: []keyring.Key{{Selector: "s1", Stage: keyring.Active}},
	}
}

// told writes findings, those that are OK only on demand.
func told(r finding.Result, all bool) string {
	var lines []string
	for _, f := range r.Findings {
		if f.Severity == finding.OK && !all {
			continue
		}
		line := strings.TrimSpace(strings.Join([]string{string(f.Severity), f.ID, f.Subject}, " "))
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
	if got := told(r, false); got != want {
		t.Errorf("is:\n%s\nwant:\n%s\n", got, want)
		for _, f := range r.Findings {
			t.Logf("%s %s %s: %s", f.Severity, f.ID, f.Subject, f.Seen)
		}
	}
}

func TestMX(t *testing.T) {
	const mx = "lab.example. 60 IN MX"
	d := func(change func(d *subject.Domain)) subject.Domain {
		d := domain()
		change(&d)
		return d
	}
	sendOnly := d(func(d *subject.Domain) { d.Receives, d.Wanted = false, &spec.Domain{Name: "lab.example"} })
	unknown := d(func(d *subject.Domain) { d.Wanted, d.Declared = nil, false })
	for _, c := range []struct {
		name    string
		records []string
		domain  subject.Domain
		want    string
		remedy  string
	}{
		{"none, and no address", without(child(), mx), domain(), "problem mx.exists lab.example", "mailsetup init --yes"},
		{"none, and none is wanted", without(child(), mx), sendOnly, "", ""},
		{"none, but our address", without(child(), mx, "lab.example. 60 IN A 192.0.2.10"), domain(), "note mx.exists lab.example", ""},
		{"none, and an address of others", without(child(), mx, "lab.example. 60 IN A 192.0.2.80"), domain(), "problem mx.exists lab.example", "mailsetup init --yes"},
		{"null MX with mailboxes", without(child(), mx, mx+" 0 ."), domain(), "problem mx.exists lab.example", "publish in DNS, in place of the null MX:\nlab.example. IN MX 10 mail.lab.example."},
		{"null MX without", without(child(), mx, mx+" 0 ."), sendOnly, "", ""},
		{"null MX beside another", without(child(), "", mx+" 0 ."), domain(), "problem mx.form lab.example", "take the record \"lab.example. IN MX 0 .\" out of the zone"},
		{"an address", without(child(), mx, mx+" 10 192.0.2.10."), domain(), "problem mx.form 192.0.2.10\nwarning mx.ours lab.example\nnote mx.v6 lab.example", "publish in DNS:\nlab.example. IN MX 10 mail.lab.example."},
		{"localhost beside", without(child(), "", mx+" 20 localhost."), domain(), "problem mx.form localhost", "take that MX record out of the zone"},
		{"one host twice", without(child(), "", mx+" 20 mail.lab.example."), domain(), "note mx.form mail.lab.example", ""},
		{"an alias", without(child(), mx, mx+" 10 mx.lab.example.", "mx.lab.example. 60 IN CNAME mail.lab.example."), domain(), "problem mx.form mx.lab.example", "name the target of the alias in the MX record, or give mx.lab.example its addresses in place of the CNAME"},
		{"without address", without(child(), mx, mx+" 10 gone.lab.example."), domain(), "problem mx.addr gone.lab.example\nwarning mx.ours lab.example\nnote mx.v6 lab.example", "publish in DNS:\nlab.example. IN MX 10 mail.lab.example."},
		{"a second one without address", without(child(), "", mx+" 20 gone.lab.example."), domain(), "warning mx.addr gone.lab.example", "give gone.lab.example an A or AAAA record, or name another host in the MX record"},
		{"a private address", without(child(), mx, mx+" 10 in.lab.example.", "in.lab.example. 60 IN A 10.0.0.5"), domain(), "problem mx.addr in.lab.example\nwarning mx.ours lab.example\nnote mx.v6 lab.example", "publish in DNS:\nlab.example. IN MX 10 mail.lab.example."},
		{"a private address among others", without(child(), "", "mail.lab.example. 60 IN A 10.0.0.5"), domain(), "warning mx.addr mail.lab.example", "take the records with private addresses out of the public zone"},
		{"a gateway, undeclared", without(child(), mx, mx+" 10 gw.lab.example.", "gw.lab.example. 60 IN AAAA 2001:db8::99"), unknown, "note mx.ours lab.example", ""},
		{"others, and none is wanted here", without(child(), mx, mx+" 10 gw.lab.example.", "gw.lab.example. 60 IN AAAA 2001:db8::99"), sendOnly, "", ""},
		{"IPv4 alone", without(child(), "mail.lab.example. 60 IN AAAA"), domain(), "note mx.v6 lab.example", ""},
		{"the server's own name without address", without(child(), "mail."), domain(), "problem mx.addr mail.lab.example by host.forward\nnote mx.v6 lab.example", "publish in DNS:\nmail.lab.example. IN A 192.0.2.10\nmail.lab.example. IN AAAA 2001:db8::10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := zone.New(serving(t, c.records).client(t)).Check(t.Context(), server(), c.domain)
			r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "dns.dnssec" })
			is(t, r, c.want)
			remedy := ""
			for _, f := range r.Findings {
				if f.Remedy.String() != "" {
					remedy = f.Remedy.String()
				}
			}
			if remedy != c.remedy {
				t.Errorf("remedy %q, want %q", remedy, c.remedy)
			}
		})
	}
}

func TestHealthyZone(t *testing.T) {
	c := zone.New(serving(t, child()).client(t))
	const want = `ok dns.delegation lab.example
ok dns.same lab.example
ok dns.wildcard *.lab.example
ok dns.nxdomain-tree _domainkey.lab.example
ok dns.size ns1.lab.example (127.0.0.2)
ok dns.size ns2.lab.example (127.0.0.3)
note dns.dnssec lab.example
ok zone.soa lab.example
ok mx.exists lab.example
ok mx.addr mail.lab.example
ok mx.form lab.example
ok mx.ours lab.example
ok mx.v6 lab.example`
	r := c.Check(t.Context(), server(), domain())
	if got := told(r, true); got != want {
		t.Errorf("is:\n%s\nwant:\n%s\n%+v", got, want, r.Findings)
	}
}

// In a network without a way to the root, the parent zone cannot be asked: that is no
// fault of the zone.
func TestZoneOfAnIslandNetwork(t *testing.T) {
	w := serving(t, child())
	w.resolver = func(r *dns.Msg) *dns.Msg {
		m := dnstest.Zones(t, child())(r)
		if m.Rcode == dns.RcodeRefused {
			m.Rcode = dns.RcodeServerFailure
		}
		return m
	}
	is(t, zone.New(w.client(t)).Check(t.Context(), server(), domain()), "note dns.dnssec lab.example")
}

func answering(t *testing.T, rcode int) answers {
	return func(r *dns.Msg) *dns.Msg { return dnstest.Reply(t, r, rcode) }
}

func TestDelegation(t *testing.T) {
	const unsigned = "\nnote dns.dnssec lab.example"
	lame := func(r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeSuccess)
		m.Authoritative = false
		return m
	}
	silent := func(*dns.Msg) *dns.Msg { return nil }
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"one is lame", func(w *world) { w.two = lame }, "problem dns.delegation ns2.lab.example (127.0.0.3)" + unsigned},
		{"one refuses", func(w *world) { w.one = answering(t, dns.RcodeRefused) }, "problem dns.delegation ns1.lab.example (127.0.0.2)" + unsigned},
		{"one has an expired copy", func(w *world) { w.two = answering(t, dns.RcodeServerFailure) }, "problem dns.delegation ns2.lab.example (127.0.0.3)" + unsigned},
		{"one is down, or behind a wall", func(w *world) { w.two = silent }, "unknown dns.delegation ns2.lab.example (127.0.0.3)" + unsigned},
		{"all are down", func(w *world) {
			w.one, w.two, w.resolver = silent, silent, func(r *dns.Msg) *dns.Msg {
				if strings.HasSuffix(r.Question[0].Name, "lab.example.") && !strings.HasPrefix(r.Question[0].Name, "ns") {
					return dnstest.Reply(t, r, dns.RcodeServerFailure)
				}
				return dnstest.Zones(t, slices.Concat(child(), parent()))(r)
			}
		}, "problem dns.delegation ns1.lab.example (127.0.0.2)\nproblem dns.delegation ns2.lab.example (127.0.0.3)\nunknown mx.exists lab.example by dns.delegation"},
		{"port 53 is closed to the outside", func(w *world) { w.one, w.two = silent, silent }, "unknown dns.delegation lab.example"},
		{"the parent has another name server", func(w *world) {
			list := without(parent(), "lab.example. 60 IN NS ns2", "lab.example. 60 IN NS ns3.lab.example.")
			w.parent = dnstest.Zones(t, list)
			w.resolver = dnstest.Zones(t, slices.Concat(child(), []string{"ns3.lab.example. 60 IN A 127.0.0.3"}, parent()))
		}, "warning dns.delegation lab.example" + unsigned},
		{"a name server has no address", func(w *world) {
			w.parent = dnstest.Zones(t, append(parent(), "lab.example. 60 IN NS gone.lab.example."))
		}, "warning dns.delegation gone.lab.example" + unsigned},
		{"nobody delegates it", func(w *world) { w.parent = dnstest.Zones(t, without(parent(), "lab.example.")) }, "problem dns.delegation lab.example" + unsigned},
		{"it is not registered", func(w *world) {
			w.parent = dnstest.Zones(t, without(parent(), "lab.example."))
			w.resolver = w.parent
		}, "problem dns.delegation lab.example\nproblem mx.exists lab.example by dns.delegation"},
		{"the resolver is silent", func(w *world) { w.resolver = silent }, "unknown dns.delegation lab.example by net.resolver\nunknown mx.exists lab.example by net.resolver"},
		{"the resolver fails and nobody knows why", func(w *world) { w.resolver = answering(t, dns.RcodeServerFailure) }, "unknown dns.delegation lab.example\nunknown mx.exists lab.example by dns.delegation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // some wait for answers
			w := serving(t, child())
			c.change(&w)
			is(t, zone.New(w.client(t)).Check(t.Context(), server(), domain()), c.want)
		})
	}
}

func TestDifferentCopies(t *testing.T) {
	soa := func(serial string) string {
		return "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. " + serial + " 3600 900 604800 60"
	}
	for _, c := range []struct {
		name     string
		two      []string
		want     string
		remedies string
	}{
		{"the serial alone", without(child(), "lab.example. 60 IN SOA", soa("2026113000")), "", ""},
		{"a text of somebody else", without(child(), "", `lab.example. 60 IN TXT "site-verification=1"`), "", ""},
		{"the TTL", without(child(), "lab.example. 60 IN MX", "lab.example. 300 IN MX 10 mail.lab.example."), "", ""},
		{"the MX", without(child(), "lab.example. 60 IN MX", "lab.example. 60 IN MX 10 old.lab.example."), "problem dns.same lab.example", "raise the serial of the zone at its primary, and reload it: secondaries do not fetch a zone whose serial they have"},
		{"an old SPF record", without(without(child(), "lab.example. 60 IN TXT"), "lab.example. 60 IN SOA", soa("7"), `lab.example. 60 IN TXT "v=spf1 ip4:192.0.2.99 -all"`), "problem dns.same lab.example", "see why the zone is not transferred: the log of the name server with the lower serial; with BIND on its primary:\nrndc notify lab.example"},
		{"the serial of its primary here fell", without(without(child(), "_dmarc"), "lab.example. 60 IN SOA", soa("9")), "problem dns.same lab.example by zone.soa\nproblem zone.soa lab.example", "give the zone a serial after 9 in its file (with a dynamic zone between rndc freeze and rndc thaw), then:\nrndc reload lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each waits for a transfer
			w := serving(t, child())
			w.two = dnstest.Zones(t, c.two)
			s := server()
			s.Facts.Addresses = append(s.Facts.Addresses, netip.MustParseAddr("127.0.0.2"))
			s.Facts.Zones = []state.Zone{{Origin: "lab.example.", Kind: "primary"}}
			r := zone.New(w.client(t)).Check(t.Context(), s, domain())
			r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "dns.dnssec" })
			is(t, r, c.want)
			last := ""
			for _, f := range r.Findings {
				if f.ID == "dns.same" || f.ID == "zone.soa" && f.Severity == finding.Problem {
					last = f.Remedy.String()
				}
			}
			if last != c.remedies {
				t.Errorf("remedy %q, want %q", last, c.remedies)
			}
		})
	}
}

// A hidden primary is compared with what the world sees, and is no fault in itself.
func TestHiddenPrimary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		primary []string
		want    string
	}{
		{"the same", child(), ""},
		{"the public servers are behind", without(child(), "_dmarc", `_dmarc.lab.example. 60 IN TXT "v=DMARC1; p=reject"`), "problem dns.same lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server()
			s.Facts.DNSAddress = dnstest.Serve(t, "127.0.0.1", dnstest.Zones(t, c.primary))
			s.Facts.Zones = []state.Zone{{Origin: "lab.example.", Kind: "primary"}}
			r := zone.New(serving(t, child()).client(t)).Check(t.Context(), s, domain())
			r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "dns.dnssec" })
			is(t, r, c.want)
		})
	}
}

// A network may have a copy of its own of the zone: what counts is what the world sees.
func TestCopyForThisNetworkAlone(t *testing.T) {
	public := without(without(child(), "lab.example. 60 IN NS ns2"), "ns2.")
	inside := without(without(child(), "lab.example. 60 IN NS ns1"), "lab.example. 60 IN TXT")
	w := serving(t, public)
	w.resolver = dnstest.Zones(t, slices.Concat(inside, without(parent(), "lab.example. 60 IN NS ns2")))
	w.two = dnstest.Zones(t, inside)
	w.parent = dnstest.Zones(t, without(parent(), "lab.example. 60 IN NS ns2"))
	s := server()
	s.Spec.Host.DNS = spec.DNSManual
	is(t, zone.New(w.client(t)).Check(t.Context(), s, domain()), "note dns.delegation lab.example\nnote dns.dnssec lab.example")
}

// A change that is just being transferred is no difference.
func TestTransferUnderWay(t *testing.T) {
	t.Parallel()
	w := serving(t, child())
	begun := time.Now()
	old := dnstest.Zones(t, without(without(child(), "_dmarc"), "lab.example. 60 IN SOA", "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 7 3600 900 604800 60"))
	w.two = func(r *dns.Msg) *dns.Msg {
		if time.Since(begun) < time.Second {
			return old(r)
		}
		return dnstest.Zones(t, child())(r)
	}
	is(t, zone.New(w.client(t)).Check(t.Context(), server(), domain()), "note dns.dnssec lab.example")

	begun = time.Now().Add(time.Hour) // it takes longer, right after a run that changed the zone
	s := server()
	s.Transfers = &subject.Transfers{Within: 100 * time.Millisecond, Begun: true}
	is(t, zone.New(w.client(t)).Check(t.Context(), s, domain()), "unknown dns.same lab.example\nnote dns.dnssec lab.example")
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []string
		want    string
	}{
		{"a wildcard text", without(child(), "", `*.lab.example. 60 IN TXT "v=spf1 -all"`), "note dns.wildcard *.lab.example"},
		{"a wildcard MX", without(child(), "", "*.lab.example. 60 IN MX 10 mail.lab.example."), "note dns.wildcard *.lab.example"},
		{"a wildcard key", without(child(), "", `*._domainkey.lab.example. 60 IN TXT "v=DKIM1; p=QQ=="`), "warning dns.wildcard *._domainkey.lab.example"},
		{"a wildcard of revoked keys", without(child(), "", `*._domainkey.lab.example. 60 IN TXT "v=DKIM1; p="`), ""},
		{"a key elsewhere", without(child(), "s1._domainkey", "s1._domainkey.lab.example. 60 IN CNAME s1.keys.lab.example.", `s1.keys.lab.example. 60 IN TXT "v=DKIM1; p=QQ=="`), ""},
		{"a policy that leads nowhere", without(child(), "_dmarc", "_dmarc.lab.example. 60 IN CNAME gone.lab.example."), "problem dns.cname _dmarc.lab.example"},
		{"a circle", without(child(), "s1._domainkey", "s1._domainkey.lab.example. 60 IN CNAME s2._domainkey.lab.example.", "s2._domainkey.lab.example. 60 IN CNAME s1._domainkey.lab.example."), "problem dns.cname s1._domainkey.lab.example"},
		{"an expire before the refresh", without(child(), "lab.example. 60 IN SOA", "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 86400 900 3600 60"), "warning zone.soa lab.example"},
		{"an expire of days", without(child(), "lab.example. 60 IN SOA", "lab.example. 60 IN SOA ns1.lab.example. h.lab.example. 8 3600 900 259200 60"), "note zone.soa lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serving(t, c.records)
			for _, at := range []*answers{&w.resolver, &w.one, &w.two} {
				*at = withWildcards(*at)
			}
			r := zone.New(w.client(t)).Check(t.Context(), server(), domain())
			r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "dns.dnssec" })
			is(t, r, c.want)
		})
	}
}

// withWildcards answers for names that are not there what the wildcard above them has.
func withWildcards(answer answers) answers {
	return func(r *dns.Msg) *dns.Msg {
		m := answer(r)
		q := r.Question[0]
		_, above, _ := strings.Cut(q.Name, ".")
		if m.Rcode != dns.RcodeNameError || strings.HasPrefix(above, "_domainkey.") != strings.Contains(q.Name, "._domainkey.") {
			return m
		}
		wild := answer(new(dns.Msg).SetQuestion("*."+above, q.Qtype))
		if m.Rcode = wild.Rcode; len(wild.Answer) > 0 {
			for _, rr := range wild.Answer {
				rr = dns.Copy(rr)
				rr.Header().Name = q.Name
				m.Answer = append(m.Answer, rr)
			}
		}
		return m
	}
}

func TestServerThatDeniesNamesAboveOthers(t *testing.T) {
	w := serving(t, child())
	w.two = func(r *dns.Msg) *dns.Msg {
		m := dnstest.Zones(t, child())(r)
		if r.Question[0].Name == "_domainkey.lab.example." {
			m.Rcode = dns.RcodeNameError
		}
		return m
	}
	is(t, zone.New(w.client(t)).Check(t.Context(), server(), domain()), "warning dns.nxdomain-tree ns2.lab.example (127.0.0.3)\nnote dns.dnssec lab.example")
}

// A domain that is an alias takes all records of its target.
func TestDomainThatIsAnAlias(t *testing.T) {
	records := append(child(), "news.lab.example. 60 IN CNAME lab.example.")
	d := domain()
	d.Name, d.Keys = "news.lab.example", nil
	is(t, zone.New(serving(t, records).client(t)).Check(t.Context(), server(), d), "warning dns.cname news.lab.example\nnote dns.dnssec lab.example")
}
