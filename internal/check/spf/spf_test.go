package spf_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/spf"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// world is a DNS of lines of name, type and value; names below silent. are not answered.
func world(lines ...string) detecttest.Answers {
	a := detecttest.Answers{}
	for _, l := range lines {
		f := strings.SplitN(l, " ", 3)
		key := f[0] + ". " + f[1]
		a[key] = append(a[key], state.Record{Name: f[0] + ".", Type: f[1], Value: f[2]})
	}
	return a
}

var server = subject.Server{Name: "mail.lab.example", Egress: []subject.Egress{
	{Address: netip.MustParseAddr("192.0.2.10"), Origin: "route"}, {Address: netip.MustParseAddr("2001:db8::10"), Origin: "route"},
}}

var sender = subject.Domain{Name: "lab.example", Sends: true, Receives: true}

// notOK are the findings that are not OK, a line for each; a * marks consequences.
func notOK(r finding.Result) string {
	var s strings.Builder
	for _, f := range r.Findings {
		if f.Severity == finding.OK {
			continue
		}
		mark := ""
		if f.CausedBy != "" {
			mark = "*" + f.CausedBy + " "
		}
		fmt.Fprintf(&s, "%s%s %s %s: %s\n", mark, f.Severity, f.ID, f.Subject, f.Seen)
	}
	return strings.TrimRight(s.String(), "\n")
}

// around are names that records lead to.
var around = []string{
	"v.example TXT v=spf1 ip4:198.51.100.0/24 -all", "two.example TXT v=spf1 mx -all", "two.example TXT v=spf1 a -all",
	"bad.example TXT v=spf1 ip4:300.1.1.1 -all", "open.example TXT v=spf1 +all",
	"six.example TXT v=spf1 a:a.example a:b.example a:c.example a:d.example a:e.example include:v.example -all",
	"five.example TXT v=spf1 a:a.example a:b.example a:c.example a:d.example a:e.example -all",
	"null.example MX 0 .", "loop.example TXT v=spf1 include:lab.example -all",
	"a.example A 198.51.100.1", "b.example A 198.51.100.2", "c.example A 198.51.100.3", "d.example A 198.51.100.4", "e.example A 198.51.100.5",
	"d.example AAAA 2001:db8:1::4",
	"four.example MX 10 a.example.", "four.example MX 10 b.example.", "four.example MX 20 c.example.", "four.example MX 20 e.example.",
	"eleven.example MX 1 a.example.", "eleven.example MX 2 a.example.", "eleven.example MX 3 a.example.", "eleven.example MX 4 a.example.",
	"eleven.example MX 5 a.example.", "eleven.example MX 6 a.example.", "eleven.example MX 7 a.example.", "eleven.example MX 8 a.example.",
	"eleven.example MX 9 a.example.", "eleven.example MX 10 a.example.", "eleven.example MX 11 a.example.",
}

const both = "ip4:192.0.2.10 ip6:2001:db8::10"

// Of each record there is one cause: the last column has what is not OK, and what to
// publish instead.
func TestRecords(t *testing.T) {
	for _, c := range []struct{ record, found, remedy string }{
		{"v=spf1 " + both + " mx:four.example ~all", "", ""},
		{"v=spf1 " + both + " include:v.example x-new=1 exp=why.example -all", "", ""},
		{"V=SPF1 IP4:192.0.2.0/24 ip6:2001:db8::/32 A:d.example/24//64 -ALL", "", ""},
		{
			"v=spf1 ip4:192.0.2.10 -all", "problem spf.pass 2001:db8::10: fail by -all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip6:2001:db8::10 ip4:192.0.2.10 -all\"",
		},
		{
			"v=spf1 ipv4:192.0.2.10 ip6:2001:db8::10 -all", `problem spf.syntax lab.example: column 8: "ipv4:192.0.2.10": SPF has no such mechanism`,
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 " + both + " foo:bar -all", `problem spf.syntax lab.example: column 40: "foo:bar": SPF has no such mechanism` + "\n" +
				"*spf.syntax warning spf.hidden lab.example: receivers differ: those that read the whole record first, as RFC 7208 section 4.6 wants " +
				"(python3-spf, Mail::SPF), say permerror; those that stop at the matching term (go/spf) say pass",
			"correct the term at column 40 of: v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 foo:bar -all",
		},
		{
			"v=spf1 " + both + " -all include:v.example all",
			"warning spf.syntax lab.example: column 45: include:v.example comes after all and is never looked at; column 63: all comes after all and is never looked at",
			"take out what is not looked at, or move it before all, and write a colon where a mechanism has an equals sign",
		},
		{
			"v=spf1 ip4=192.0.2.10 " + both + " v=spf1 -all",
			"warning spf.syntax lab.example: column 8: ip4=192.0.2.10 passes nobody: write ip4:192.0.2.10; column 55: v=spf1 passes nobody: a record begins once",
			"take out what is not looked at, or move it before all, and write a colon where a mechanism has an equals sign",
		},
		{
			"v=spf1 " + both + " include:dead.example -all",
			"*spf.hidden warning spf.include-dead dead.example: dead.example has no SPF record\n" +
				"warning spf.hidden lab.example: behind the terms that pass this server: dead.example has no SPF record",
			"take out include:dead.example (or correct the name):\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 include:dead.example " + both + " -all",
			"*spf.include-dead problem spf.pass 192.0.2.10: permerror: dead.example has no SPF record\n" +
				"*spf.include-dead problem spf.pass 2001:db8::10: permerror: dead.example has no SPF record\n" +
				"problem spf.include-dead dead.example: dead.example has no SPF record",
			"take out include:dead.example (or correct the name):\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 " + both + " include:silent.example -all",
			"unknown spf.include-dead silent.example: no answer about silent.example\n" +
				"*spf.include-dead unknown spf.lookups lab.example: at least 1, for want of an answer", "",
		},
		{
			"v=spf1 include:silent.example " + both + " -all",
			"unknown spf.pass 192.0.2.10: temperror: no answer about silent.example\nunknown spf.pass 2001:db8::10: temperror: no answer about silent.example\n" +
				"unknown spf.include-dead silent.example: no answer about silent.example\n" +
				"*spf.include-dead unknown spf.lookups lab.example: at least 1, for want of an answer", "",
		},
		{
			"v=spf1 include:two.example " + both + " -all",
			"*spf.one problem spf.pass 192.0.2.10: permerror: two.example has 2 SPF records where one is allowed (RFC 7208 section 3.2)\n" +
				"*spf.one problem spf.pass 2001:db8::10: permerror: two.example has 2 SPF records where one is allowed (RFC 7208 section 3.2)\n" +
				"problem spf.one two.example: two.example has 2 SPF records where one is allowed (RFC 7208 section 3.2)",
			"ask whoever runs two.example to mend it; until then do without:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 include:bad.example " + both + " -all",
			`*spf.syntax problem spf.pass 192.0.2.10: permerror: bad.example: "ip4:300.1.1.1" is no IPv4 address or network` + "\n" +
				`*spf.syntax problem spf.pass 2001:db8::10: permerror: bad.example: "ip4:300.1.1.1" is no IPv4 address or network` + "\n" +
				`problem spf.syntax bad.example: bad.example, column 8: "ip4:300.1.1.1" is no IPv4 address or network`,
			"ask whoever runs bad.example to mend it; until then do without:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 include:loop.example " + both + " -all",
			"*spf.loop problem spf.pass 192.0.2.10: permerror: it takes more than 10 DNS look-ups (RFC 7208 section 4.6.4)\n" +
				"*spf.loop problem spf.pass 2001:db8::10: permerror: it takes more than 10 DNS look-ups (RFC 7208 section 4.6.4)\n" +
				"problem spf.loop lab.example: lab.example leads back to itself\n*spf.loop problem spf.lookups lab.example: more than 10",
			"ask whoever runs loop.example to mend it: include:loop.example of yours leads there",
		},
		{
			"v=spf1 mx:eleven.example " + both + " -all",
			"*spf.mx10 problem spf.pass 192.0.2.10: permerror: mx:eleven.example has 11 mail exchangers, and receivers stop after 10 (RFC 7208 section 4.6.4)\n" +
				"*spf.mx10 problem spf.pass 2001:db8::10: permerror: mx:eleven.example has 11 mail exchangers, and receivers stop after 10 (RFC 7208 section 4.6.4)\n" +
				"problem spf.mx10 eleven.example: mx:eleven.example has 11 mail exchangers, and receivers stop after 10 (RFC 7208 section 4.6.4)",
			"take out mx:eleven.example (or correct the name):\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all\"",
		},
		{
			"v=spf1 " + both + " include:six.example include:five.example -all",
			"problem spf.lookups lab.example: 13: include:six.example 7, include:five.example 6",
			"write the networks of the cheapest includes into the record as ip4: and ip6:, or do without senders that are not used any more",
		},
		{
			"v=spf1 " + both + " include:six.example mx:four.example -all",
			"note spf.lookups lab.example: 8 of 10: include:six.example 7, mx:four.example 1", "",
		},
		{
			"v=spf1 " + both + " include:six.example mx:four.example a:d.example a:d.example/31 -all",
			"note spf.lookups lab.example: 10 of 10: include:six.example 7, mx:four.example 1, a:d.example 1, a:d.example/31 1; " +
				"Haraka (haraka-plugin-spf 1.3.0) takes ten for too many", "",
		},
		{
			"v=spf1 " + both + " a:1.example mx:2.example exists:3.example -all",
			"problem spf.voids lab.example: a:1.example, mx:2.example, exists:3.example",
			"take out the terms whose names have no records, or give the names an address",
		},
		{
			"v=spf1 " + both + " mx:null.example -all", "note spf.voids lab.example: receivers differ: mx:null.example names no host (null MX), " +
				"temperror at Mail::SPF, no match at python3-spf and go/spf", "take out what names no host",
		},
		{"v=spf1 " + both + " a:1.example -all", "note spf.voids lab.example: a:1.example", "take out what has no records"},
		{
			"v=spf1 ip4:192.0.2.10 mx:four.example ip6:2001:db8::10 -all",
			"warning spf.voids-v6 2001:db8::10: receivers differ: pass at go/spf, mailauth, permerror at python3-spf (policyd-spf), Mail::SPF, pass at libspf2 (Exim)\n" +
				"*spf.voids-v6 note spf.ours-first lab.example: v=spf1 ip4:192.0.2.10 mx:four.example ip6:2001:db8::10 -all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip6:2001:db8::10 ip4:192.0.2.10 mx:four.example -all\"",
		},
		{
			"v=spf1 a:d.example " + both + " ~all", "note spf.ours-first lab.example: v=spf1 a:d.example ip4:192.0.2.10 ip6:2001:db8::10 ~all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 a:d.example ~all\"",
		},
		{
			"v=spf1 " + both + " exists:%{d2}.x.example -all", "warning spf.syntax libspf2: receivers differ: at libspf2 1.2.10 (Exim and OpenDMARC of Debian) " +
				"%{d2} loses its first character\nnote spf.voids lab.example: exists:%{d2}.x.example",
			"write neighbouring addresses as a network, or some of them into a record of their own for include:, redirect= at the end, and %{d} for the whole domain",
		},
		{
			"v=spf1 " + both + " +all", "problem spf.all lab.example: +all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all\"",
		},
		{"v=spf1 " + both + " ip4:0.0.0.0/0 -all", "problem spf.all lab.example: ip4:0.0.0.0/0 passes every address there is", "take out ip4:0.0.0.0/0"},
		{"v=spf1 " + both + " a:d.example/0 -all", "problem spf.all lab.example: a:d.example/0 passes every address there is", "take out a:d.example/0"},
		{"v=spf1 " + both + " include:open.example -all", "problem spf.all lab.example: include:open.example passes every address there is", "take out include:open.example"},
		{
			"v=spf1 " + both + " ?all", "warning spf.all lab.example: ?all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all\"",
		},
		{
			"v=spf1 " + both, "warning spf.all lab.example: no all",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all\"",
		},
		{"v=spf1 " + both + " redirect=open.example", "problem spf.all lab.example: +all of open.example", "ask whoever runs open.example, or publish a record of your own:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all\""},
		{"v=spf1 " + both + " redirect=v.example", "", ""},
		{
			"v=spf1 " + both + " redirect=v.example ~all", "warning spf.redirect-lost lab.example: redirect=v.example beside an all: receivers differ, libspf2 1.2.10 (Exim and OpenDMARC of Debian) goes by the redirect",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all\"",
		},
		{
			"v=spf1 " + both + " ptr ~all", "warning spf.ptr lab.example: ptr",
			"publish, in place of the record that is there:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all\"",
		},
	} {
		r := spf.Check(t.Context(), world(append([]string{"lab.example TXT " + c.record}, around...)...), server, sender)
		findingtest.Remedies(t, r.Findings)
		if got := notOK(r); got != c.found {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.record, got, c.found)
		}
		if got := remedy(r); got != c.remedy {
			t.Errorf("%s:\ngot remedy\n%s\nwant\n%s", c.record, got, c.remedy)
		}
	}
}

// Whether there is one record, and what for.
func TestDomains(t *testing.T) {
	const good = "lab.example TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx -all"
	silent := subject.Domain{Name: "lab.example", Receives: true, Declared: true}
	parked := subject.Domain{Name: "lab.example", Declared: true}
	smart := subject.Server{Name: "mail.lab.example", Egress: server.Egress, Smarthost: "[smtp.vendor.example]:587"}
	long := strings.Repeat("x", 400)
	for _, c := range []struct {
		name   string
		s      subject.Server
		d      subject.Domain
		lines  []string
		found  string
		remedy string
	}{
		{"right", server, sender, []string{good, "lab.example TXT proof=1", "lab.example MX 10 d.example.", "d.example A 198.51.100.1"}, "", ""},
		{
			"none", server, sender,
			[]string{"lab.example TXT proof=1"},
			"problem spf.one lab.example: no record",
			"publish:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all\"",
		},
		{"no such name", server, sender, nil, "*dns.delegation problem spf.one lab.example: lab.example does not exist in DNS", ""},
		{"no answer", server, subject.Domain{Name: "silent.example", Sends: true}, nil, "unknown spf.one silent.example: no answer: context deadline exceeded", ""},
		{
			"two", server, sender,
			[]string{"lab.example TXT v=spf1 mx -all", "lab.example TXT v=spf1 include:v.example ~all"},
			"problem spf.one lab.example: 2 records: v=spf1 mx -all and v=spf1 include:v.example ~all",
			"publish one record in place of all:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:v.example mx ~all\"",
		},
		{
			"two, the other way around", server, sender,
			[]string{"lab.example TXT v=spf1 include:v.example ~all", "lab.example TXT v=spf1 mx -all"},
			"problem spf.one lab.example: 2 records: v=spf1 include:v.example ~all and v=spf1 mx -all",
			"publish one record in place of all:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:v.example mx ~all\"",
		},
		{
			"no address is known",
			subject.Server{Name: "mail.lab.example"},
			subject.Domain{Name: "lab.example", Sends: true},
			[]string{"lab.example TXT proof=1"},
			"problem spf.one lab.example: no record", "mailsetup init --domain lab.example",
		},
		{
			"no record, by a smarthost", smart, sender,
			[]string{"lab.example TXT proof=1"},
			"problem spf.one lab.example: no record",
			"ask whoever runs [smtp.vendor.example]:587 which include: the record needs, and publish one with it",
		},
		{
			"a mistake with lines of its own", server,
			subject.Domain{Name: "lab.example", Sends: true},
			[]string{"lab.example TXT v=spf1 foo\nsudo id"},
			"problem spf.syntax lab.example: column 8: \"foo\\nsudo\": SPF has no such mechanism",
			`correct the term at column 8 of: v=spf1 foo\010sudo id`,
		},
		{
			"a space in front", server, sender,
			[]string{"lab.example TXT  v=spf1 ip4:192.0.2.10 -all"},
			"problem spf.prefix lab.example: a space is before v=spf1:  v=spf1 ip4:192.0.2.10 -all\n*spf.prefix problem spf.one lab.example: no record",
			"publish, in place of that text:\nlab.example. IN TXT \"v=spf1 ip4:192.0.2.10 -all\"",
		},
		{
			"quotes in front, and a record", server, sender,
			[]string{good, "lab.example MX 10 d.example.", "d.example A 198.51.100.1", `lab.example TXT "v=spf1 -all"`},
			"note spf.prefix lab.example: beside the record is another text that receivers pass over: " +
				`a quotation mark is before v=spf1: "v=spf1 -all"`, "take it out",
		},
		{
			"relics", server, sender,
			[]string{good, "lab.example MX 10 d.example.", "d.example A 198.51.100.1", `lab.example SPF "v=spf1 mx -all"`, "lab.example TXT spf2.0/pra mx -all"},
			"note spf.type99 lab.example: \"v=spf1 mx -all\"\nnote spf.senderid lab.example: spf2.0/pra mx -all", "take the records of type SPF out of lab.example",
		},
		{
			"a large answer", server, sender,
			[]string{good, "lab.example MX 10 d.example.", "d.example A 198.51.100.1", "lab.example TXT " + long, "lab.example TXT a" + long, "lab.example TXT b" + long},
			"warning spf.size lab.example: 1343 octets, 4 TXT records",
			"take out TXT records of lab.example that nobody needs any more (proofs of ownership), or move terms behind an include",
		},
		{
			"a larger one", server, sender,
			[]string{good, "lab.example MX 10 d.example.", "d.example A 198.51.100.1", "lab.example TXT " + long, "lab.example TXT a"},
			"note spf.size lab.example: 527 octets, 3 TXT records", "",
		},
		{"receives only", server, silent, []string{"lab.example TXT v=spf1 -all"}, "", ""},
		{"receives only, without a record", server, silent, []string{"lab.example TXT proof=1"}, "", ""},
		{"parked", server, parked, nil, "", ""},
		{"by a smarthost", smart, sender, []string{"lab.example TXT v=spf1 include:v.example -all", "v.example TXT v=spf1 ip4:198.51.100.0/24 -all"}, "", ""},
		{
			"by a smarthost that is not in the record", smart, sender,
			[]string{"lab.example TXT v=spf1 ip4:192.0.2.10 -all"},
			"note spf.pass [smtp.vendor.example]:587: the record passes no address but those of this server, and mail leaves by [smtp.vendor.example]:587",
			"ask whoever runs [smtp.vendor.example]:587 which include: the record needs",
		},
		{
			"by a smarthost, and nobody may", smart, sender,
			[]string{"lab.example TXT v=spf1 -all"},
			"problem spf.pass [smtp.vendor.example]:587: the record passes nobody, and mail leaves by [smtp.vendor.example]:587",
			"ask whoever runs [smtp.vendor.example]:587 which include: the record needs",
		},
		{
			"behind an address translation",
			subject.Server{Name: "mail.lab.example", Hidden: []subject.Egress{{Address: netip.MustParseAddr("10.0.0.5")}}},
			sender,
			[]string{"lab.example TXT v=spf1 ip4:192.0.2.10 -all"},
			"*addr.egress unknown spf.pass lab.example: nobody outside sees 10.0.0.5, and the public address is not known", "",
		},
		{
			"neutral, as the administrator wants it", server,
			subject.Domain{Name: "lab.example", Sends: true, Wanted: &spec.Domain{SPF: spec.SPF{All: "neutral"}}},
			[]string{"lab.example TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ?all"},
			"note spf.all lab.example: ?all", "",
		},
	} {
		r := spf.Check(t.Context(), world(c.lines...), c.s, c.d)
		findingtest.Remedies(t, r.Findings)
		if got := notOK(r); got != c.found {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, c.found)
		}
		if got := remedy(r); got != c.remedy {
			t.Errorf("%s:\ngot remedy\n%s\nwant\n%s", c.name, got, c.remedy)
		}
	}
}

func TestHELO(t *testing.T) {
	for _, c := range []struct{ name, record, found string }{
		{"right", "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all", ""},
		{"one address", "v=spf1 ip4:192.0.2.10 -all", "problem spf.helo 2001:db8::10: mail.lab.example: fail by -all"},
		{"none", "", "warning spf.helo 192.0.2.10: mail.lab.example: none\nwarning spf.helo 2001:db8::10: mail.lab.example: none"},
		{
			"a mistake", "v=spf1 foo", "problem spf.helo 192.0.2.10: mail.lab.example: permerror: mail.lab.example: \"foo\": SPF has no such mechanism\n" +
				"problem spf.helo 2001:db8::10: mail.lab.example: permerror: mail.lab.example: \"foo\": SPF has no such mechanism",
		},
	} {
		var dns detecttest.Answers
		if c.record != "" {
			dns = world("mail.lab.example TXT " + c.record)
		}
		if got := notOK(spf.CheckHELO(t.Context(), dns, server)); got != c.found {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, c.found)
		}
	}
	for _, s := range []subject.Server{{Name: "localhost", Egress: server.Egress}, {Name: "mail.lab.example", Egress: server.Egress, Smarthost: "[smtp.vendor.example]"}} {
		if r := spf.CheckHELO(t.Context(), world(), s); len(r.Findings) > 0 {
			t.Errorf("%s by %q: %v", s.Name, s.Smarthost, r.Findings)
		}
	}
}

// What mailsetup would mend is said, and nothing else.
func TestFixable(t *testing.T) {
	ours := subject.Server{Name: "mail.lab.example", SetUp: true, Egress: server.Egress[:1], Spec: spec.Spec{Host: spec.Host{
		Hostname: "mail.lab.example", DNS: spec.DNSBind, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
	}}}
	byHand := ours
	byHand.Spec.Host.DNS = spec.DNSManual
	elsewhere := ours
	elsewhere.Spec.Host.Addresses = nil
	wanted := subject.Domain{Name: "lab.example", Sends: true, Wanted: &spec.Domain{Name: "lab.example"}}
	kept := wanted
	kept.Wanted = &spec.Domain{Name: "lab.example", Keep: []string{"spf"}}
	for _, c := range []struct {
		name   string
		s      subject.Server
		d      subject.Domain
		record string
		want   string
	}{
		{"none", ours, wanted, "proof=1", "mailsetup init --yes"},
		{"an address", ours, wanted, "v=spf1 -all", "mailsetup init --yes --existing-records change"},
		{"two records", ours, wanted, "v=spf1 mx -all\nlab.example TXT v=spf1 a ~all", "mailsetup init --yes --existing-records change"},
		{"two records, kept", ours, kept, "v=spf1 mx -all\nlab.example TXT v=spf1 a ~all", ""},
		{"an address behind a mistake of others", ours, wanted, "v=spf1 include:dead.example -all", ""},
		{"an address that host.toml does not have", elsewhere, wanted, "v=spf1 -all", ""},
		{"by hand", byHand, wanted, "v=spf1 -all", ""},
		{"not ours", ours, sender, "v=spf1 -all", ""},
		{"kept", ours, kept, "v=spf1 -all", ""},
		{"a mistake", ours, wanted, "v=spf1 foo", ""},
	} {
		got := ""
		for _, f := range spf.Check(t.Context(), world(strings.Split("lab.example TXT "+c.record, "\n")...), c.s, c.d).Findings {
			if f.Fixable {
				got += f.Remedy.String()
			}
		}
		if got != c.want {
			t.Errorf("%s: fixed by %q", c.name, got)
		}
	}
}

func TestTree(t *testing.T) {
	r := spf.Check(t.Context(), world(append([]string{"lab.example TXT v=spf1 " + both + " include:six.example redirect=dead.example"}, around...)...), server, sender)
	want := []finding.SPFTree{{Domain: "lab.example", SPFNode: finding.SPFNode{
		Name: "lab.example", Record: "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:six.example redirect=dead.example", Lookups: 8,
		Children: []finding.SPFNode{
			{
				Name: "six.example", Term: "include:six.example", Lookups: 6, Record: "v=spf1 a:a.example a:b.example a:c.example a:d.example a:e.example include:v.example -all",
				Children: []finding.SPFNode{{Name: "v.example", Term: "include:v.example", Record: "v=spf1 ip4:198.51.100.0/24 -all"}},
			},
			{Name: "dead.example", Term: "redirect=dead.example", Problem: "dead.example has no SPF record"},
		},
	}}}
	if d := cmp.Diff(want, r.SPF); d != "" {
		t.Error(d)
	}
}

// remedy is that of the first finding that is no consequence.
func remedy(r finding.Result) string {
	for _, f := range r.Findings {
		if f.Remedy.String() != "" && f.CausedBy == "" && f.Severity != finding.OK {
			return f.Remedy.String()
		}
	}
	return ""
}
