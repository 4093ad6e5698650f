package propose_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestReceives(t *testing.T) {
	mx := func(names ...string) state.LiveDNS { return state.LiveDNS{Asked: true, MX: names} }
	here := netip.MustParseAddr("192.0.2.10")
	zone := func(value string) []state.Zone {
		return []state.Zone{{
			Origin: "lab.example.", Kind: "primary",
			Records: []state.Record{{Name: "LAB.example.", Type: "MX", Value: value}},
		}}
	}
	for _, tt := range []struct {
		name        string
		facts       state.Facts
		value, says string
	}{
		{"nobody could be asked", state.Facts{}, "no", "could not be looked up"},
		{"no MX anywhere", state.Facts{Live: map[string]state.LiveDNS{"lab.example": mx()}}, "yes", "no MX yet"},
		{
			"served here, no MX",
			state.Facts{Zones: []state.Zone{{Origin: "lab.example.", Kind: "primary"}}},
			"yes", "no MX yet",
		},
		{"MX is this host", state.Facts{Live: map[string]state.LiveDNS{"lab.example": mx("Mail.LAB.example.")}}, "yes", "is this server"},
		{"MX is elsewhere", state.Facts{Live: map[string]state.LiveDNS{"lab.example": mx("mx.other.example.")}}, "no", "mx.other.example"},
		{
			"MX is another name of this host",
			state.Facts{Live: map[string]state.LiveDNS{
				"lab.example": mx("in.lab.example."), "in.lab.example": {Addresses: []netip.Addr{here}},
			}},
			"yes", "is this server",
		},
		{
			"one of several is this host",
			state.Facts{Live: map[string]state.LiveDNS{"lab.example": mx("mx.other.example.", "mail.lab.example.")}},
			"yes", "is this server",
		},
		{"our own zone names another", state.Facts{Zones: zone("10 mx.other.example.")}, "no", "mx.other.example"},
		{"our own zone names us", state.Facts{Zones: zone("10 mail.lab.example.")}, "yes", "is this server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.facts.FQDN = "mail.lab.example"
			if tt.facts.Live == nil {
				tt.facts.Live = map[string]state.LiveDNS{}
			}
			tt.facts.Live["mail.lab.example"] = state.LiveDNS{Asked: true, Addresses: []netip.Addr{here}}
			b := propose.Basis{Facts: tt.facts}
			got := b.Proposals(spec.Answers{Domain: "lab.example"}).Receive
			if got.Value != tt.value || !strings.Contains(got.Why, tt.says) {
				t.Errorf("%q because %q; want %q because of %q", got.Value, got.Why, tt.value, tt.says)
			}
		})
	}
}

// A further domain without an MX gets one if Postfix takes its mail.
func TestReceivesWhatPostfixTakes(t *testing.T) {
	for name, tt := range map[string]struct {
		old         *spec.Spec
		is          *state.MailDomain
		mx          []string
		value, says string
	}{
		"the first domain":   {nil, &state.MailDomain{Class: state.ClassDefault}, nil, "yes", "no MX yet"},
		"it is refused":      {&spec.Spec{}, &state.MailDomain{Class: state.ClassDefault}, nil, "no", "it has no MX, and Postfix does not take mail for it"},
		"it is virtual":      {&spec.Spec{}, &state.MailDomain{Class: state.ClassVirtualMailbox}, nil, "yes", "no MX yet"},
		"it is relayed":      {&spec.Spec{}, &state.MailDomain{Class: state.ClassRelay}, nil, "yes", "no MX yet"},
		"a table is down":    {&spec.Spec{}, &state.MailDomain{Unknown: "ask table mysql:/x: down"}, nil, "no", "could not be found out"},
		"nobody asked":       {&spec.Spec{}, nil, nil, "yes", "no MX yet"},
		"its MX is here":     {&spec.Spec{}, &state.MailDomain{Class: state.ClassDefault}, []string{"mail.lab.example"}, "yes", "is this server"},
		"its MX is another":  {&spec.Spec{}, &state.MailDomain{Class: state.ClassLocal}, []string{"mx.other.example"}, "no", "mx.other.example"},
		"a table, and an MX": {&spec.Spec{}, &state.MailDomain{Unknown: "down"}, []string{"mail.lab.example"}, "yes", "is this server"},
	} {
		b := propose.Basis{Spec: tt.old, Facts: state.Facts{FQDN: "mail.lab.example", Live: map[string]state.LiveDNS{"shop.example": {Asked: true, MX: tt.mx}}}}
		if tt.is != nil {
			b.Facts.MailDomains = map[string]state.MailDomain{"shop.example": *tt.is}
		}
		got := b.Proposals(spec.Answers{Domain: "shop.example", Hostname: "mail.lab.example"}).Receive
		if got.Value != tt.value || !strings.Contains(got.Why, tt.says) {
			t.Errorf("%s: %+v, want %s: %s", name, got, tt.value, tt.says)
		}
	}
}

func TestFill(t *testing.T) {
	facts := state.Facts{
		FQDN: "mail.lab.example", DNS: state.BIND,
		Zones: []state.Zone{{Origin: "lab.example.", Kind: "primary"}},
		Live: map[string]state.LiveDNS{
			"mail.lab.example": {Asked: true, Addresses: []netip.Addr{
				netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::10"),
			}},
			"lab.example":   {Asked: true, MX: []string{"mail.lab.example."}},
			"other.example": {Asked: true, MX: []string{"mx.other.example."}},
		},
	}
	known := &spec.Spec{Domains: []spec.Domain{{Name: "lab.example"}}}
	for _, tt := range []struct {
		name  string
		given spec.Answers
		old   *spec.Spec
		want  spec.Answers
	}{
		{
			"everything is found, private addresses are not",
			spec.Answers{Domain: "lab.example"},
			nil,
			spec.Answers{
				Domain: "lab.example", Hostname: "mail.lab.example", DNS: "bind", Receive: "yes",
				Addresses: []string{"192.0.2.10", "2001:db8::10"},
			},
		},
		{
			"an answer wins",
			spec.Answers{Domain: "lab.example", Hostname: "mx.lab.example", Addresses: []string{"192.0.2.9"}, DNS: "manual", Receive: "no"},
			nil,
			spec.Answers{Domain: "lab.example", Hostname: "mx.lab.example", Addresses: []string{"192.0.2.9"}, DNS: "manual", Receive: "no"},
		},
		{"a known domain gets no new defaults", spec.Answers{Domain: "lab.example"}, known, spec.Answers{Domain: "lab.example"}},
		{
			"a further domain asks for its own only",
			spec.Answers{Domain: "other.example"},
			known,
			spec.Answers{Domain: "other.example", Receive: "no"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := propose.Basis{Facts: facts, Spec: tt.old}
			if d := cmp.Diff(tt.want, b.Fill(tt.given)); d != "" {
				t.Error(d)
			}
		})
	}
}

// A domain nobody named is the host name's parent in the questions only: a
// flag that is missing stays missing.
func TestProposalsOfABareMachine(t *testing.T) {
	b := propose.Basis{Facts: state.Facts{FQDN: "mail.lab.example"}}
	p := b.Proposals(spec.Answers{})
	for _, tt := range []struct{ what, got, want string }{
		{"domain", p.Domain.Value, "lab.example"},
		{"host name", p.Hostname.Value, "mail.lab.example"},
		{"addresses", p.Addresses.Value, ""},
		{"dns", p.DNS.Value, "manual"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	// What the administrator typed is not called the machine's own.
	p = new(propose.Basis).Proposals(spec.Answers{Hostname: "mx.lab.example"})
	if p.Hostname.Value != "" || p.Domain.Value != "lab.example" {
		t.Errorf("host name %q, domain %q", p.Hostname.Value, p.Domain.Value)
	}
}

// A name may be written with capitals and with a final dot.
func TestProposalsForgiveHowANameIsWritten(t *testing.T) {
	b := propose.Basis{Facts: served(state.Record{Name: "lab.example.", Type: "MX", Value: "10 mail.lab.example."})}
	b.Facts.Live = map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}}
	a := b.Fill(spec.Answers{Domain: " Lab.Example. ", Hostname: "MAIL.lab.example."})
	if got := strings.Join([]string{a.DNS, a.Receive, strings.Join(a.Addresses, " ")}, ", "); got != "bind, yes, 192.0.2.10" {
		t.Errorf("found %s", got)
	}
}

// Records that are there are the defaults of a new domain; a flag wins, and a
// domain that is set up keeps what its file says.
func TestFillFromRecords(t *testing.T) {
	b := propose.Basis{Facts: state.Facts{
		FQDN: "mail.lab.example", DNS: state.BIND,
		Zones: []state.Zone{{Origin: "lab.example.", Kind: "primary", Records: []state.Record{
			txt("lab.example.", "v=spf1 mx include:_spf.news.example -all"),
			txt("_dmarc.lab.example.", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@lab.example"),
		}}},
	}}
	given := spec.Answers{Domain: "lab.example", Addresses: []string{"192.0.2.10"}, DMARC: "none"}
	got := b.Fill(given)
	want := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", DNS: "bind", Receive: "yes",
		Addresses: []string{"192.0.2.10"}, SPFAll: "fail", SPFInclude: []string{"_spf.news.example"},
		DMARC: "none", DMARCSP: "quarantine", RUA: []string{"mailto:d@lab.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	p := b.Proposals(given)
	if p.SPFAll.Value != "fail" || p.SPFInclude.Value != "_spf.news.example" || p.DMARC.Value != "reject" ||
		!strings.Contains(p.DMARC.Why, "DMARC record of lab.example") {
		t.Errorf("proposals %+v", p)
	}
	// The host's defaults are for what nobody said, but who sends for every
	// domain sends for this one, too.
	old := &spec.Spec{Host: spec.Host{Defaults: spec.Defaults{
		KeyBits: 3072, SPF: spec.SPF{All: "neutral", Include: []string{"_spf.relay.example"}}, DMARC: spec.DMARC{Policy: "quarantine"},
	}}}
	b.Spec = old
	if got := b.Fill(spec.Answers{Domain: "lab.example"}); strings.Join(got.SPFInclude, " ") != "_spf.news.example _spf.relay.example" ||
		got.SPFAll != "fail" || got.DMARC != "reject" || got.KeyBits != "" {
		t.Errorf("beside defaults: %+v", got)
	}
	if got := b.Fill(spec.Answers{Domain: "lab.example", SPFInclude: []string{"none"}}); strings.Join(got.SPFInclude, " ") != "none" {
		t.Errorf("asked for no include: %q", got.SPFInclude)
	}
	b.Spec = &spec.Spec{Domains: []spec.Domain{{Name: "lab.example"}}}
	if diff := cmp.Diff(given, b.Fill(given)); diff != "" {
		t.Errorf("of a known domain, -want +got:\n%s", diff)
	}
}

func TestWhyRecordsArePrinted(t *testing.T) {
	for _, c := range []struct {
		name       string
		spoil      func(f *state.Facts)
		dns, why   string
		shut, asks bool
	}{
		{"served here", func(*state.Facts) {}, "bind", "BIND serves lab.example here", false, true},
		{"no zone", func(f *state.Facts) { f.Zones = nil }, "manual", "no zone of this machine's BIND holds lab.example", false, true},
		{"a secondary", func(f *state.Facts) {
			f.Zones[0].Kind, f.Zones[0].Problem = "secondary", "BIND is a secondary server for it here"
		}, "manual", "zone lab.example: BIND is a secondary server for it here", true, true},
		{"another server", func(f *state.Facts) { f.DNS, f.Zones = state.PowerDNS, nil }, "manual", "PowerDNS answers DNS here, not BIND", false, false},
	} {
		b := propose.Basis{Facts: served()}
		c.spoil(&b.Facts)
		p := b.Proposals(spec.Answers{Domain: "lab.example"})
		if p.DNS.Value != c.dns || p.DNS.Why != c.why || p.ZoneUnusable != c.shut || p.BIND != c.asks {
			t.Errorf("%s: %+v, shut %v, BIND %v", c.name, p.DNS, p.ZoneUnusable, p.BIND)
		}
	}
}

// A person is proposed the addresses that mail leaves from, with the reason. Nobody
// else is: behind NAT, or in a migration, an interface's address may be the wrong one.
func TestAddressesThatMailLeavesFrom(t *testing.T) {
	addrs := func(list ...string) (all []netip.Addr) {
		for _, a := range list {
			all = append(all, netip.MustParseAddr(a))
		}
		return all
	}
	relayed := &state.Postfix{Raw: map[string]string{}, Value: map[string]string{"relayhost": "[smart.example]"}}
	bound := &state.Postfix{Raw: map[string]string{}, Value: map[string]string{"smtp_bind_address": "192.0.2.11"}}
	for _, tt := range []struct {
		name                string
		here, sources, live []netip.Addr
		postfix             *state.Postfix
		value, why, alone   string
	}{
		{
			"an ordinary server that is not in DNS yet", addrs("192.0.2.10", "2001:db8::10"), addrs("192.0.2.10", "2001:db8::10"), nil, nil,
			"192.0.2.10 2001:db8::10", "mail leaves from there; mail.lab.example has no address in DNS yet", "",
		},
		{
			"DNS says the same", addrs("192.0.2.10"), addrs("192.0.2.10"), addrs("192.0.2.10"), nil,
			"192.0.2.10", "what DNS says of mail.lab.example", "192.0.2.10",
		},
		{
			"DNS has the old server", addrs("192.0.2.10"), addrs("192.0.2.10"), addrs("198.51.100.5"), nil,
			"192.0.2.10", "mail leaves from there; DNS says that mail.lab.example is 198.51.100.5", "198.51.100.5",
		},
		{
			"another address of the machine is in DNS", addrs("192.0.2.10", "192.0.2.11"), addrs("192.0.2.10"), addrs("192.0.2.11"), nil,
			"192.0.2.10 192.0.2.11", "mail leaves from there", "192.0.2.11",
		},
		{
			"behind NAT, with IPv6 of its own", addrs("10.0.0.5", "2001:db8::10"), addrs("10.0.0.5", "2001:db8::10"), addrs("203.0.113.7"), nil,
			"203.0.113.7 2001:db8::10", "mail leaves from there", "203.0.113.7",
		},
		{"behind NAT, not in DNS", addrs("10.0.0.5"), addrs("10.0.0.5"), nil, nil, "", "", ""},
		{"by a relay", addrs("192.0.2.10"), addrs("192.0.2.10"), addrs("192.0.2.10"), relayed, "192.0.2.10", "what DNS says of mail.lab.example", "192.0.2.10"},
		{"as Postfix is told", addrs("192.0.2.10", "192.0.2.11"), addrs("192.0.2.10"), nil, bound, "192.0.2.11", "mail leaves from there; mail.lab.example has no address in DNS yet", ""},
		{"a temporary address", addrs("2001:db8::10"), addrs("2001:db8::7777"), nil, nil, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := machine(state.Facts{
				FQDN: "mail.lab.example", Addresses: tt.here, Sources: tt.sources, Postfix: tt.postfix,
				Live: map[string]state.LiveDNS{"mail.lab.example": {Asked: true, Addresses: tt.live}},
			})
			b := propose.Basis{Facts: s.facts}
			if got := strings.Join(b.Fill(spec.Answers{Domain: "lab.example"}).Addresses, " "); got != tt.alone {
				t.Errorf("without a person: %q, want %q", got, tt.alone)
			}
			got := s.proposals(t, spec.Answers{}, nil).Addresses
			if got.Value != tt.value || tt.value != "" && got.Why != tt.why {
				t.Errorf("proposes %q because %q; want %q because %q", got.Value, got.Why, tt.value, tt.why)
			}
		})
	}
}

// The exim4 that is this machine's mail server stays, unless somebody says otherwise.
func TestMailServer(t *testing.T) {
	exim := state.Facts{FQDN: "mail.lab.example", Exim: &state.Exim{Version: "4.98.2", Type: "internet"}, Installed: map[string]bool{"exim4-daemon-light": true}}
	with := func(change func(*propose.Basis)) propose.Basis {
		b := propose.Basis{Facts: exim}
		b.Facts.Installed = map[string]bool{"exim4-daemon-light": true}
		change(&b)
		return b
	}
	for _, tt := range []struct {
		name  string
		b     propose.Basis
		given string
		want  string
	}{
		{"exim4", with(func(*propose.Basis) {}), "", "exim4"},
		{"by a flag", with(func(*propose.Basis) {}), "postfix", "postfix"},
		{"it may be replaced", with(func(b *propose.Basis) { b.ReplaceMTA = true }), "", ""},
		{"below a directory", with(func(b *propose.Basis) { b.Root = "/srv/tree" }), "", ""},
		{"Postfix is here", with(func(b *propose.Basis) { b.Facts.Installed["postfix"] = true }), "", ""},
		{"OpenDKIM is here", with(func(b *propose.Basis) { b.Facts.OpenDKIM = &state.OpenDKIM{} }), "", ""},
		{"set up already", with(func(b *propose.Basis) { b.Spec = &spec.Spec{} }), "", ""},
		{"neither", with(func(b *propose.Basis) { b.Facts.Exim = nil }), "", ""},
	} {
		if got := tt.b.Fill(spec.Answers{Domain: "lab.example", MTA: tt.given}).MTA; got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	b := with(func(*propose.Basis) {})
	if got := b.Proposals(spec.Answers{}).Found; len(got) != 1 || got[0] != "exim4 4.98.2 is installed (internet, not split); signing is added to its settings" {
		t.Errorf("found %q", got)
	}
}
