package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// newSession is a session on an empty machine that asks nobody: as below a
// root, DNS is not looked at.
func newSession(f state.Facts) *session {
	return &session{Machine: &machine.Machine{Sys: systemtest.NewMem(), Now: november}, facts: f, keys: keyring.Ledger{}, o: options{root: "/image"}}
}

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
			got := newSession(tt.facts).receives("lab.example", "mail.lab.example", "192.0.2.10")
			if got.Value != tt.value || !strings.Contains(got.Why, tt.says) {
				t.Errorf("%q because %q; want %q because of %q", got.Value, got.Why, tt.value, tt.says)
			}
		})
	}
}

func TestFound(t *testing.T) {
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
			if d := cmp.Diff(tt.want, newSession(facts).found(tt.given, tt.old)); d != "" {
				t.Error(d)
			}
		})
	}
}

// A domain nobody named is the host name's parent in the questions only: a
// flag that is missing stays missing.
func TestProposalsOfABareMachine(t *testing.T) {
	p := newSession(state.Facts{FQDN: "mail.lab.example"}).proposals(spec.Answers{})
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
	p = newSession(state.Facts{}).proposals(spec.Answers{Hostname: "mx.lab.example"})
	if p.Hostname.Value != "" || p.Domain.Value != "lab.example" {
		t.Errorf("host name %q, domain %q", p.Hostname.Value, p.Domain.Value)
	}
}

// Records that are there are the defaults of a new domain; a flag wins, and a
// domain that is set up keeps what its file says.
func TestFoundInRecords(t *testing.T) {
	txt := func(name, value string) state.Record { return state.Record{Name: name, Type: "TXT", Value: value} }
	s := newSession(state.Facts{
		FQDN: "mail.lab.example", DNS: state.BIND,
		Zones: []state.Zone{{Origin: "lab.example.", Kind: "primary", Records: []state.Record{
			txt("lab.example.", "v=spf1 mx include:_spf.news.example -all"),
			txt("_dmarc.lab.example.", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@lab.example"),
		}}},
	})
	given := spec.Answers{Domain: "lab.example", Addresses: []string{"192.0.2.10"}, DMARC: "none"}
	got := s.found(given, nil)
	want := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", DNS: "bind", Receive: "yes",
		Addresses: []string{"192.0.2.10"}, SPFAll: "fail", SPFInclude: []string{"_spf.news.example"},
		DMARC: "none", DMARCSP: "quarantine", RUA: []string{"mailto:d@lab.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	p := s.proposals(given)
	if p.SPFAll.Value != "fail" || p.SPFInclude.Value != "_spf.news.example" || p.DMARC.Value != "reject" ||
		!strings.Contains(p.DMARC.Why, "DMARC record of lab.example") {
		t.Errorf("proposals %+v", p)
	}
	// The host's defaults are for what nobody said, but who sends for every
	// domain sends for this one, too.
	old := &spec.Spec{Host: spec.Host{Defaults: spec.Defaults{
		KeyBits: 3072, SPF: spec.SPF{All: "neutral", Include: []string{"_spf.relay.example"}}, DMARC: spec.DMARC{Policy: "quarantine"},
	}}}
	if got := s.found(spec.Answers{Domain: "lab.example"}, old); strings.Join(got.SPFInclude, " ") != "_spf.news.example _spf.relay.example" ||
		got.SPFAll != "fail" || got.DMARC != "reject" || got.KeyBits != "" {
		t.Errorf("beside defaults: %+v", got)
	}
	if got := s.found(spec.Answers{Domain: "lab.example", SPFInclude: []string{"none"}}, old); strings.Join(got.SPFInclude, " ") != "none" {
		t.Errorf("asked for no include: %q", got.SPFInclude)
	}
	usual(&p, old.Host.Defaults)
	if p.KeyBits.Value != "3072" || p.SPFAll.Value != "fail" || p.SPFInclude.Value != "_spf.news.example _spf.relay.example" || p.DMARC.Value != "reject" {
		t.Errorf("proposals beside defaults %+v", p)
	}
	known := &spec.Spec{Domains: []spec.Domain{{Name: "lab.example"}}}
	if diff := cmp.Diff(given, s.found(given, known)); diff != "" {
		t.Errorf("of a known domain, -want +got:\n%s", diff)
	}
}

// A redirect of host.toml is for those who have no SPF record and asked for none.
func TestWhoseSPFRecordDecides(t *testing.T) {
	host := &spec.Spec{Host: spec.Host{Domain: "lab.example", Defaults: spec.Defaults{SPF: spec.SPF{Redirect: "relay.example"}}}}
	for name, test := range map[string]struct {
		a     spec.Answers
		found string // the end of the SPF record that is there
		old   *spec.Spec
		want  string
	}{
		"nothing said":     {spec.Answers{Domain: "shop.example"}, "", host, "relay.example"},
		"a record":         {spec.Answers{Domain: "shop.example"}, "fail", host, ""},
		"--spf-all":        {spec.Answers{Domain: "shop.example", SPFAll: "fail"}, "", host, ""},
		"--spf-include":    {spec.Answers{Domain: "shop.example", SPFInclude: []string{"a.example"}}, "", host, ""},
		"--spf-redirect":   {spec.Answers{Domain: "shop.example", SPFRedirect: "yes"}, "fail", host, "lab.example"},
		"--spf-redirect=n": {spec.Answers{Domain: "shop.example", SPFRedirect: "no"}, "", host, ""},
		"itself":           {spec.Answers{Domain: "Relay.example."}, "", host, ""},
		"the first":        {spec.Answers{Domain: "lab.example"}, "", nil, ""},
	} {
		p := wizard.Proposals{SPFAll: wizard.Proposal{Value: test.found}}
		if got := leaning(test.a, p, test.old).Value; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestParent(t *testing.T) {
	for host, want := range map[string]string{
		"mail.lab.example": "lab.example", "lab.example": "lab.example", "a.b.lab.example": "b.lab.example", "host": "host", "": "",
	} {
		if got := parent(host); got != want {
			t.Errorf("parent(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestSelector(t *testing.T) {
	used := keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Gone}}}
	onDisk := systemtest.NewMem()
	onDisk.PutFile(steps.KeyFile("lab.example", "disk"), "key")
	zone := []state.Zone{{Origin: "lab.example.", Records: []state.Record{
		{Name: "DNS._domainkey.lab.example.", Type: "TXT"},
		{Name: "Vendor._domainkey.lab.example.", Type: "CNAME", Value: "key.vendor.example."},
	}}}
	s := newSession(state.Facts{Zones: zone})
	s.keys, s.Sys = used, onDisk

	for _, sel := range []string{"old", "disk", "dns"} {
		_, err := s.selector(t.Context(), spec.Answers{Domain: "lab.example", Selector: sel}, nil)
		if err == nil || !hint.IsUsage(err) || !strings.Contains(err.Error(), "selector "+sel+" of lab.example is in use") {
			t.Errorf("%s: %v", sel, err)
		}
	}
	_, err := s.selector(t.Context(), spec.Answers{Domain: "lab.example", Selector: "vendor"}, nil)
	if err == nil || err.Error() != "selector vendor of lab.example is a CNAME of key.vendor.example in DNS: no key can stand beside it" {
		t.Errorf("an alias: %v", err)
	}
	a, err := s.selector(t.Context(), spec.Answers{Domain: "lab.example", Selector: "fresh"}, nil)
	if err != nil || a.Selector != "fresh" {
		t.Errorf("%q, %v", a.Selector, err)
	}
	a, err = s.selector(t.Context(), spec.Answers{Domain: "lab.example"}, nil)
	if err != nil || a.Selector != "202611" {
		t.Errorf("%q, %v; want the month", a.Selector, err)
	}
	for usual, want := range map[string]string{"mail": "mail", "old": "202611"} {
		host := &spec.Spec{Host: spec.Host{Defaults: spec.Defaults{Selector: usual}}}
		if a, err := s.selector(t.Context(), spec.Answers{Domain: "lab.example"}, host); err != nil || a.Selector != want {
			t.Errorf("with %s in host.toml: %q, %v; want %s", usual, a.Selector, err, want)
		}
	}
	onDisk.PutFile(steps.KeyFile("lab.example", "202611"), "key")
	a, err = s.selector(t.Context(), spec.Answers{Domain: "lab.example"}, nil)
	if err != nil || !strings.HasPrefix(a.Selector, "202611-") || len(a.Selector) != len("202611-abcd") {
		t.Errorf("%q, %v; want the month and four random characters", a.Selector, err)
	}
}
