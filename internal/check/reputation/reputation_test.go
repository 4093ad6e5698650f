package reputation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/page"
	"mailsetup/internal/check/report"
	"mailsetup/internal/check/reputation"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// resolver answers for the lists: entries are name and answer, as in
// "2.0.0.127.bl.lab.example 127.0.0.2", or "name TXT text".
func resolver(t *testing.T, entries ...string) *dnsclient.Client {
	t.Helper()
	return dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		q := r.Question[0]
		m := dnstest.Reply(t, r, dns.RcodeNameError)
		for _, e := range entries {
			f := strings.SplitN(e, " ", 3)
			if dns.CanonicalName(f[0]) != dns.CanonicalName(q.Name) {
				continue
			}
			switch {
			case f[1] == "SERVFAIL":
				return dnstest.Reply(t, r, dns.RcodeServerFailure)
			case f[1] == "PTR" && q.Qtype == dns.TypePTR:
				m.Answer = append(m.Answer, dnstest.RRs(t, q.Name+" 60 IN PTR "+f[2])...)
			case f[1] == "TXT" && q.Qtype == dns.TypeTXT:
				m.Answer = append(m.Answer, dnstest.RRs(t, q.Name+` 60 IN TXT "`+f[2]+`"`)...)
			case f[1] != "TXT" && f[1] != "PTR" && q.Qtype == dns.TypeA:
				m.Answer = append(m.Answer, dnstest.RRs(t, q.Name+" 60 IN A "+f[1])...)
			}
			m.Rcode = dns.RcodeSuccess
		}
		return m
	})).WithCache()
}

// The test entries of RFC 5782 in a list, of IPv4 and of IPv6.
const (
	four = "2.0.0.127."
	six  = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
)

func sends(addresses ...string) subject.Server {
	s := subject.Server{Name: "mail.lab.example"}
	for _, a := range addresses {
		s.Egress = append(s.Egress, subject.Egress{Address: netip.MustParseAddr(a), Origin: "host.toml"})
	}
	return s
}

func check(t *testing.T, c *dnsclient.Client, s subject.Server, zones []string, domains ...string) []finding.Finding {
	t.Helper()
	var list []subject.Domain
	for _, d := range domains {
		list = append(list, subject.Domain{Name: d, Sends: true})
	}
	found := reputation.Check(t.Context(), c, s, list, reputation.Options{Zones: zones}).Findings
	findingtest.Remedies(t, found)
	return found
}

func expect(t *testing.T, list []finding.Finding, want ...string) {
	t.Helper()
	var got []string
	for _, f := range list {
		got = append(got, strings.Join(strings.Fields(fmt.Sprint(f.Severity, " ", f.ID, " ", f.Domain, " ", f.Subject)), " ")+": "+f.Seen)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const proved = ": it has its test entry, and only that"

// A list proves itself first. What its answers mean is in the table of lists; all of
// them are read.
func TestAddresses(t *testing.T) {
	zen := []string{four + "zen.spamhaus.org 127.0.0.2", four + "zen.spamhaus.org 127.0.0.10", six + "zen.spamhaus.org 127.0.0.2"}
	const health = "ok bl.health zen.spamhaus.org" + proved
	for _, tt := range []struct {
		name    string
		address string
		entries []string
		want    string
	}{
		{"clear", "192.0.2.10", nil, "ok bl.ip 192.0.2.10: on none of 1 lists"},
		{
			"spam, with its reason", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.2", "10.2.0.192.zen.spamhaus.org TXT https://check.spamhaus.org/sbl/query/SBL1"},
			"problem bl.ip 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN lists it: SBL: spam comes from there (https://check.spamhaus.org/sbl/query/SBL1)",
		},
		{
			"an address of users", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.11", "10.2.0.192.in-addr.arpa PTR dyn-192-0-2-10.isp.example."},
			"problem bl.ip 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN lists it: PBL: its provider says that no mail server has this address",
		},
		{
			"an address of a server among those of users", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.10", "10.2.0.192.in-addr.arpa PTR Mail.lab.example."},
			"note bl.class 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN lists it: PBL: its provider says that no mail server has this address",
		},
		{
			"an address of which nobody tells whose it is", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.10", "10.2.0.192.in-addr.arpa SERVFAIL"},
			"unknown bl.ip 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN lists it: PBL: its provider says that no mail server has this address; whether it is one of a home could not be found out, for want of its PTR",
		},
		{
			"both", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.11", "10.2.0.192.zen.spamhaus.org 127.0.0.4"},
			"problem bl.ip 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN lists it: PBL: its provider says that no mail server has this address; XBL: a machine that is broken into",
		},
		{
			"IPv6, nibble by nibble", "2001:db8::10",
			[]string{"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org 127.0.0.3"},
			"problem bl.ip 2001:db8::10 in zen.spamhaus.org: Spamhaus ZEN lists it: CSS: spam comes from there",
		},
		{
			"asked too often", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.255.255.255"},
			"unknown bl.code 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN does not say: it was asked too often",
		},
		{
			"an answer that means nothing", "192.0.2.10",
			[]string{"10.2.0.192.zen.spamhaus.org 127.0.0.99"},
			"unknown bl.code 192.0.2.10 in zen.spamhaus.org: Spamhaus ZEN answers 127.0.0.99, of which the meaning is not known",
		},
		{"no answer", "192.0.2.10", []string{"10.2.0.192.zen.spamhaus.org SERVFAIL"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := check(t, resolver(t, append(tt.entries, zen...)...), sends(tt.address), []string{"zen.spamhaus.org"})
			if tt.want == "" {
				if len(list) != 2 || list[1].ID != "bl.ip" || list[1].Severity != finding.Unknown || !strings.Contains(list[1].Seen, "SERVFAIL") {
					t.Errorf("%+v", list)
				}
				return
			}
			expect(t, list, health, tt.want)
			if f := list[1]; (f.Severity == finding.Problem || f.Severity == finding.Warning) && !strings.HasSuffix(f.Remedy.String(), "https://check.spamhaus.org/") {
				t.Errorf("remedy %s", f.Remedy)
			}
		})
	}
}

// A list that is dead, refuses or lists everything is unknown, and named; nothing is
// asked of it then.
func TestListsThatCannotBeBelieved(t *testing.T) {
	listed := "10.2.0.192.zen.spamhaus.org 127.0.0.2"
	for _, tt := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"dead", nil, "it lacks its test entry: it is dead, or does not answer this resolver"},
		{"refuses public resolvers", []string{four + "zen.spamhaus.org 127.255.255.254"}, "it does not answer this resolver: it is a public one, or has no name of its own"},
		{"refuses without a reason", []string{four + "zen.spamhaus.org 127.255.255.253"}, "it refuses"},
		{"for sale", []string{four + "zen.spamhaus.org 203.0.113.80"}, "its test entry says 203.0.113.80, which no block list does"},
		{"lists everything", []string{four + "zen.spamhaus.org 127.0.0.2", "1.0.0.127.zen.spamhaus.org 127.0.0.2"}, "it lists everything, even what no list has"},
	} {
		list := check(t, resolver(t, append(tt.entries, listed)...), sends("192.0.2.10"), []string{"zen.spamhaus.org"})
		expect(t, list, "unknown bl.health zen.spamhaus.org: Spamhaus ZEN: "+tt.want)
		if list[0].Remedy.String() != `a resolver of your own on this server, or a key: block_lists = ["KEY.zen.dq.spamhaus.net"] in /etc/mailsetup/host.toml` {
			t.Errorf("%s: %s", tt.name, list[0].Remedy)
		}
	}
	if list := check(t, resolver(t, four+"zen.spamhaus.org SERVFAIL"), sends("192.0.2.10"), []string{"zen.spamhaus.org"}); len(list) != 1 ||
		list[0].Severity != finding.Unknown || !strings.HasPrefix(list[0].Seen, "Spamhaus ZEN: it does not answer: ") {
		t.Errorf("%+v", list)
	}
}

// A list without its IPv6 entry is not asked about IPv6 addresses; addresses that no
// receiver sees are not asked about, nor those behind a smarthost.
func TestAddressesThatAreAsked(t *testing.T) {
	c := resolver(t, four+"bl.spamcop.net 127.0.0.2", "10.2.0.192.bl.spamcop.net 127.0.0.2", "10.0.168.192.bl.spamcop.net 127.0.0.2")
	s := sends("2001:db8::10", "192.168.0.10", "192.0.2.10")
	const health = "ok bl.health bl.spamcop.net" + proved
	expect(t, check(t, c, s, []string{"bl.spamcop.net"}), health, "problem bl.ip 192.0.2.10 in bl.spamcop.net: SpamCop lists it: spam was reported from there")
	s.Smarthost = "[smtp.other.example]"
	expect(t, check(t, c, s, []string{"bl.spamcop.net"}), health)
}

// Lists by which few receivers refuse are notes.
func TestListsThatMatterLittle(t *testing.T) {
	c := resolver(t, four+"dnsbl-3.uceprotect.net 127.0.0.2", "10.2.0.192.dnsbl-3.uceprotect.net 127.0.0.2",
		four+"bl.mailspike.net 127.0.0.10", "10.2.0.192.bl.mailspike.net 127.0.0.18")
	expect(t, check(t, c, sends("192.0.2.10"), []string{"dnsbl-3.uceprotect.net", "bl.mailspike.net"}),
		"ok bl.health dnsbl-3.uceprotect.net"+proved, "ok bl.health bl.mailspike.net"+proved,
		"note bl.class 192.0.2.10 in dnsbl-3.uceprotect.net: UCEPROTECT level 3 lists it: spam comes from its provider",
		"ok bl.ip 192.0.2.10: on none of 1 lists")
}

// A key is a secret, and its list stands for the public one.
func TestListWithAKey(t *testing.T) {
	const zone = "abcdefgh.zen.dq.spamhaus.net"
	list := check(t, resolver(t, four+zone+" 127.0.0.2", "10.2.0.192."+zone+" 127.0.0.4", "10.2.0.192."+zone+" TXT see "+zone), sends("192.0.2.10"), []string{zone})
	expect(t, list, "ok bl.health zen.dq.spamhaus.net"+proved,
		"problem bl.ip 192.0.2.10 in zen.dq.spamhaus.net: Spamhaus ZEN lists it: XBL: a machine that is broken into (see zen.dq.spamhaus.net)")
	list = check(t, resolver(t, four+zone+" SERVFAIL"), sends("192.0.2.10"), []string{zone})
	if len(list) != 1 || strings.Contains(fmt.Sprint(list), "abcdefgh") {
		t.Errorf("%+v", list)
	}
}

// What is shown of a zone has no key, in whatever list and however it is written.
func TestKeysAreShownNowhere(t *testing.T) {
	for zone, shown := range map[string]string{
		"secretkey123.sbl.dq.spamhaus.net":        "sbl.dq.spamhaus.net",
		"SecretKey123.ZEN.DQ.Spamhaus.NET.":       "zen.dq.spamhaus.net",
		"_email.secretkey123.hbl.dq.spamhaus.net": "hbl.dq.spamhaus.net",
		"secretkey123.dq.spamhaus.net":            "dq.spamhaus.net",
		"secretkey123.combined.mail.abusix.zone":  "combined.mail.abusix.zone",
		"secretkey123.Dblack.Mail.Abusix.Zone":    "dblack.mail.abusix.zone",
		"secretkey123.df.uribl.com":               "df.uribl.com",
		"secretkey123.bl.lab.example":             "KEY.bl.lab.example",
		"ip.secretkey123.lab.example":             "ip.KEY.lab.example",
		"secretkeyoflettersonly.bl.lab.example":   "KEY.bl.lab.example",
		"bl.lab.example":                          "bl.lab.example",
		"zen.spamhaus.org":                        "zen.spamhaus.org",
		"backscatter.spameatingmonkey.net":        "backscatter.spameatingmonkey.net",
	} {
		asked := strings.ToLower(strings.TrimSuffix(zone, "."))
		for name, entries := range map[string][]string{
			"silent":  {four + asked + " SERVFAIL", "test." + asked + " SERVFAIL"},
			"refuses": {four + asked + " 127.255.255.254", "test." + asked + " 127.255.255.254"},
			"fails":   {four + asked + " 127.0.0.2", "10.2.0.192." + asked + " SERVFAIL"},
			"lists": {
				four + asked + " 127.0.0.2", "10.2.0.192." + asked + " 127.0.0.2",
				"10.2.0.192." + asked + " TXT see " + strings.ToUpper(zone),
			},
			"odd": {four + asked + " 203.0.113.80"},
		} {
			r := report.New(finding.Result{Findings: check(t, resolver(t, entries...), sends("192.0.2.10"), []string{zone}, "lab.example")}, report.Asked{Online: true})
			if f := r.Findings[0]; f.ID == "bl.health" && f.Subject != shown {
				t.Errorf("%s is shown as %s", zone, f.Subject)
			}
			var out bytes.Buffer
			if err := errors.Join(r.WriteText(&out, report.TextOptions{Width: 80}), r.WriteJSON(&out)); err != nil {
				t.Fatal(err)
			}
			html, err := page.HTML(r, page.Options{})
			if err != nil {
				t.Fatal(err)
			}
			last, err := json.Marshal(r.Compare(report.Last{}, true))
			if err != nil {
				t.Fatal(err)
			}
			all := out.String() + string(html) + string(last)
			if at := strings.Index(strings.ToLower(all), "secretkey"); at >= 0 {
				t.Errorf("%s, which %s: …%s", zone, name, all[max(0, at-60):min(len(all), at+40)])
			}
			if !strings.Contains(all, shown) {
				t.Errorf("%s, which %s, is not named", zone, name)
			}
		}
	}
}

func TestDomains(t *testing.T) {
	tests := []string{"dbltest.com.dbl.spamhaus.org 127.0.1.2", "surbl-org-permanent-test-point.com.multi.surbl.org 127.0.0.254", "test.uribl.com.multi.uribl.com 127.0.0.14"}
	zones := []string{"dbl.spamhaus.org", "multi.surbl.org", "multi.uribl.com"}
	health := []string{"ok bl.health dbl.spamhaus.org" + proved, "ok bl.health multi.surbl.org" + proved, "ok bl.health multi.uribl.com" + proved}
	for _, tt := range []struct {
		domain  string
		entries []string
		want    []string
	}{
		{"lab.example", nil, []string{"ok bl.domain lab.example lab.example: on none of 3 lists"}},
		{"lab.example", []string{"lab.example.dbl.spamhaus.org 127.0.1.2"}, []string{"problem bl.domain lab.example lab.example in dbl.spamhaus.org: Spamhaus DBL lists it: a domain of spam"}},
		{"mail.lab.example", []string{"lab.example.multi.surbl.org 127.0.0.80"}, []string{"problem bl.domain mail.lab.example lab.example in multi.surbl.org: SURBL lists it: MW: malware; ABUSE: spam"}},
		{"lab.example", []string{"lab.example.multi.uribl.com 127.0.0.4"}, []string{
			"note bl.class lab.example lab.example in multi.uribl.com: URIBL lists it: grey: bulk mail that some did not ask for", "ok bl.domain lab.example lab.example: on none of 2 lists",
		}},
		{"lab.example", []string{"lab.example.multi.uribl.com 127.0.0.1"}, []string{
			"unknown bl.code lab.example lab.example in multi.uribl.com: URIBL does not say: it does not answer this resolver", "ok bl.domain lab.example lab.example: on none of 2 lists",
		}},
	} {
		expect(t, check(t, resolver(t, append(tt.entries, tests...)...), subject.Server{}, zones, tt.domain), append(slices.Clone(health), tt.want...)...)
	}
	// URIBL and SURBL say by 127.0.0.1 whom they do not answer.
	expect(t, check(t, resolver(t, "test.uribl.com.multi.uribl.com 127.0.0.1"), subject.Server{}, zones[2:], "lab.example"),
		"unknown bl.health multi.uribl.com: URIBL: it does not answer this resolver")
}

// What kind a list of the administrator's is shows by its test entries: of a list of
// domains that is test (RFC 5782 section 5).
func TestListsOfTheAdministrator(t *testing.T) {
	addresses := resolver(t, four+"bl.lab.example 127.0.0.2", "10.2.0.192.bl.lab.example 127.0.0.7")
	expect(t, check(t, addresses, sends("192.0.2.10"), []string{"bl.lab.example"}, "lab.example"), "ok bl.health bl.lab.example"+proved,
		"problem bl.ip 192.0.2.10 in bl.lab.example: bl.lab.example lists it: listed")
	domains := resolver(t, "test.bl.lab.example 127.0.0.2", "lab.example.bl.lab.example 127.0.0.2")
	expect(t, check(t, domains, sends("192.0.2.10"), []string{"bl.lab.example"}, "lab.example"), "ok bl.health bl.lab.example"+proved,
		"problem bl.domain lab.example lab.example in bl.lab.example: bl.lab.example lists it: listed")
}

// Public lists are asked with --online only, and about few domains.
func TestPublicLists(t *testing.T) {
	var domains []subject.Domain
	for i := range 60 {
		domains = append(domains, subject.Domain{Name: fmt.Sprintf("d%d.example", i), Sends: true})
	}
	c := resolver(t, "dbltest.com.dbl.spamhaus.org 127.0.1.2")
	if r := reputation.Check(t.Context(), c, sends("192.0.2.10"), domains, reputation.Options{}); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	healthy, dead, asked, note := 0, 0, 0, 0
	for _, f := range reputation.Check(t.Context(), c, sends("192.0.2.10"), domains, reputation.Options{Online: true}).Findings {
		switch {
		case f.ID == "bl.health" && f.Severity == finding.OK:
			healthy++
		case f.ID == "bl.health" && f.Severity == finding.Unknown:
			dead++
		case f.ID == "bl.domain" && f.Severity == finding.OK:
			asked++
		case f.ID == "bl.domain" && f.Severity == finding.Note && f.Subject == "10 domains":
			note++
		default:
			t.Errorf("%+v", f)
		}
	}
	if healthy != 1 || dead != 10 || asked != 50 || note != 1 {
		t.Errorf("%d lists that answer, %d that do not, %d domains, %d notes", healthy, dead, asked, note)
	}
}
