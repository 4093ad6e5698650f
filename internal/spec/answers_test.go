package spec_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// An answer is what a flag says, and what that means for the host and for the domain
// it is about.
type answer struct {
	flag string
	give func(*spec.Answers)
	want func(*spec.Host, *spec.Domain)
}

var hostAnswers = []answer{
	{"--hostname", func(a *spec.Answers) { a.Hostname = "MX.Lab.Example." }, func(h *spec.Host, _ *spec.Domain) { h.Hostname = "mx.lab.example" }},
	{
		"--ip", func(a *spec.Answers) { a.Addresses = []string{"203.0.113.9", "203.0.113.9"} },
		func(h *spec.Host, _ *spec.Domain) { h.Addresses = []netip.Addr{netip.MustParseAddr("203.0.113.9")} },
	},
	{"--dns", func(a *spec.Answers) { a.DNS = "Bind" }, func(h *spec.Host, _ *spec.Domain) { h.DNS = "bind" }},
	{"--root-alias", func(a *spec.Answers) { a.RootAlias = "none" }, func(h *spec.Host, _ *spec.Domain) { h.RootAlias = "" }},
	{"--notify", func(a *spec.Answers) { a.Notify = "Ops@Other.Example" }, func(h *spec.Host, _ *spec.Domain) { h.Notify = "Ops@other.example" }},
	{"--milter-default-action", func(a *spec.Answers) { a.MilterDefaultAction = "accept" }, func(h *spec.Host, _ *spec.Domain) { h.MilterDefaultAction = "accept" }},
	{"--sign-bounces", func(a *spec.Answers) { a.SignBounces = "no" }, func(h *spec.Host, _ *spec.Domain) { h.SignBounces = "no" }},
	{"--service-milters", func(a *spec.Answers) { a.ServiceMilters = "merge" }, func(h *spec.Host, _ *spec.Domain) { h.LeaveServices = nil }},
	{"--service-milters keep", func(a *spec.Answers) { a.ServiceMilters = "keep" }, func(*spec.Host, *spec.Domain) {}},
	{"--existing-records keep", func(a *spec.Answers) { a.ExistingRecords = "keep" }, func(*spec.Host, *spec.Domain) {}},
	{
		"--dns rfc2136",
		func(a *spec.Answers) {
			a.DNS, a.UpdateServer, a.UpdateKey = "rfc2136", "[2001:db8::53]:53", "/etc/bind/k.key"
		},
		func(h *spec.Host, _ *spec.Domain) {
			h.DNS, h.Update.Server, h.Update.KeyFile = "rfc2136", "2001:db8::53", "/etc/bind/k.key"
		},
	},
}

var domainAnswers = []answer{
	{"--receive", func(a *spec.Answers) { a.Receive = "Y" }, func(_ *spec.Host, d *spec.Domain) { d.Receive = true }},
	{"--receive no", func(a *spec.Answers) { a.Receive = "no" }, func(_ *spec.Host, d *spec.Domain) { d.Receive = false }},
	{"--ttl", func(a *spec.Answers) { a.TTL = "604800" }, func(_ *spec.Host, d *spec.Domain) { d.TTL = 604800 }},
	{"--ns", func(a *spec.Answers) { a.NS = []string{"ns9.lab.example."} }, func(_ *spec.Host, d *spec.Domain) { d.NS = []string{"ns9.lab.example"} }},
	{"--ns none", func(a *spec.Answers) { a.NS = []string{"none"} }, func(_ *spec.Host, d *spec.Domain) { d.NS = nil }},
	{"--wildcard-records", func(a *spec.Answers) { a.WildcardRecords = "drop" }, func(_ *spec.Host, d *spec.Domain) { d.WildcardRecords = "drop" }},
	{"--subdomains", func(a *spec.Answers) { a.Subdomains = "yes" }, func(_ *spec.Host, d *spec.Domain) { d.Subdomains = true }},
	{"--spf-all", func(a *spec.Answers) { a.SPFAll = "-all" }, func(_ *spec.Host, d *spec.Domain) { d.SPF.All = "fail" }},
	{
		"--spf-include", func(a *spec.Answers) { a.SPFInclude = []string{"include:_spf.München.example"} },
		func(_ *spec.Host, d *spec.Domain) { d.SPF.Include = []string{"_spf.xn--mnchen-3ya.example"} },
	},
	{"--spf-include none", func(a *spec.Answers) { a.SPFInclude = []string{" none "} }, func(_ *spec.Host, d *spec.Domain) { d.SPF.Include = nil }},
	{"--spf-redirect no", func(a *spec.Answers) { a.SPFRedirect = "no" }, func(_ *spec.Host, d *spec.Domain) { d.SPF.Redirect = "" }},
	{"--dmarc", func(a *spec.Answers) { a.DMARC = "reject" }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.Policy = "reject" }},
	{"--dmarc-sp", func(a *spec.Answers) { a.DMARCSP = "quarantine" }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.SubdomainPolicy = "quarantine" }},
	{"--adkim", func(a *spec.Answers) { a.ADKIM = "s" }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.ADKIM = "strict" }},
	{"--aspf", func(a *spec.Answers) { a.ASPF = "relaxed" }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.ASPF = "relaxed" }},
	{"--rua", func(a *spec.Answers) { a.RUA = []string{"x@y.example"} }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.RUA = []string{"mailto:x@y.example"} }},
	{"--ruf none", func(a *spec.Answers) { a.RUF = []string{"none"} }, func(_ *spec.Host, d *spec.Domain) { d.DMARC.RUF = nil }},
}

// someOf draws answers, at most one for each flag.
func (c chooser) someOf(all []answer) (a spec.Answers, want []func(*spec.Host, *spec.Domain)) {
	given := map[string]bool{}
	for _, one := range all {
		flag, _, _ := strings.Cut(one.flag, " ")
		if c.IntN(3) == 0 && !given[flag] {
			given[flag] = true
			one.give(&a)
			want = append(want, one.want)
		}
	}
	return a, want
}

// What is answered is what the spec says afterwards; what is not answered stays; no
// other domain changes, nor the spec that was there; and the same answers again change
// nothing, in whichever month.
func TestAnswersChangeWhatTheySay(t *testing.T) {
	changed := 0
	for seed := range uint64(200) {
		draw := func() spec.Spec { return chooser{rand.New(rand.NewPCG(seed, 7489))}.whole() }
		old, want := draw(), draw()
		c := chooser{rand.New(rand.NewPCG(seed, 5155))}
		a, wants := c.someOf(slices.Concat(hostAnswers, domainAnswers))
		at := c.IntN(len(want.Domains))
		if a.Domain = want.Domains[at].Name; a.Domain == "lab.example" && c.IntN(2) == 0 {
			a.Domain = "" // the host's own
		}
		for _, set := range wants {
			set(&want.Host, &want.Domains[at])
		}
		got, findings := a.Spec(&old, time.Date(2031, 7, 1, 0, 0, 0, 0, time.UTC))
		if diff := sameSpec(draw(), old); diff != "" {
			t.Fatalf("seed %d: the spec that was there changed:\n%s", seed, diff)
		}
		if invalid := want.Validate(); invalid != nil {
			if !slices.Equal(findings, invalid) {
				t.Errorf("seed %d: findings %v, want %v", seed, findings, invalid)
			}
			continue
		}
		if findings != nil {
			t.Fatalf("seed %d: %+v: %v", seed, a, findings)
		}
		if diff := sameSpec(want, got); diff != "" {
			t.Fatalf("seed %d: %+v (-want +got):\n%s", seed, a, diff)
		}
		again, findings := a.Spec(&got, time.Date(2032, 8, 1, 0, 0, 0, 0, time.UTC))
		if diff := sameSpec(got, again); diff != "" || findings != nil {
			t.Fatalf("seed %d: the same answers again: %v\n%s", seed, findings, diff)
		}
		if sameSpec(old, got) != "" {
			changed++
		}
	}
	if changed < 130 {
		t.Errorf("only %d specs changed: the answers prove nothing", changed)
	}
}

// What is about another way of publishing than the one in use would change nothing: it is
// refused, and not written down.
func TestFlagsOfAnotherWayOfPublishing(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	host := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, DNS: "manual"}
	manual, findings := host.Spec(nil, now)
	if findings != nil {
		t.Fatal(findings)
	}
	for flag, give := range map[string]func(a *spec.Answers){
		"--dns-hook":       func(a *spec.Answers) { a.Hook = "/usr/lib/mailsetup/hooks/powerdns" },
		"--rfc2136-server": func(a *spec.Answers) { a.UpdateServer = "ns1.example.net" },
		"--rfc2136-key":    func(a *spec.Answers) { a.UpdateKey = "/etc/bind/k.key" },
		"--slot-zone":      func(a *spec.Answers) { a.SlotZone = "dkim.example.net" },
		"--slots":          func(a *spec.Answers) { a.Slots = "4" },
		"--keep-selector":  func(a *spec.Answers) { a.KeepSelectors = []string{"news2026"} },
	} {
		first, init, add := host, spec.Answers{}, spec.Answers{Domain: "shop.example"}
		for _, a := range []*spec.Answers{&first, &init, &add} {
			give(a)
		}
		_, one := first.Spec(nil, now)
		_, two := init.Spec(&manual, now)
		_, three := manual.WithDomains([]spec.Answers{add}, now)
		for _, found := range []syntax.Findings{one, two, three} {
			if len(found) != 1 || found[0].Field != flag || !strings.Contains(found[0].Text, ", and the records are published otherwise") {
				t.Errorf("%s: %v", flag, found)
			}
		}
	}
	add := spec.Answers{Domain: "shop.example", DNS: "hook", Hook: "/usr/lib/mailsetup/hooks/powerdns"}
	if _, found := manual.WithDomains([]spec.Answers{add}, now); found != nil {
		t.Errorf("--dns hook: %v", found)
	}
	with, _ := manual.WithDomains([]spec.Answers{add}, now)
	if _, found := (spec.Answers{Hook: "/usr/local/bin/other"}).Spec(&with, now); found != nil {
		t.Errorf("another program for the domain that has one: %v", found)
	}
}

// A consent takes back what was refused, in all domains and nowhere else.
func TestConsentsTakeBackOnlyRefusals(t *testing.T) {
	for seed := range uint64(40) {
		draw := func() spec.Spec { return chooser{rand.New(rand.NewPCG(seed, 7489))}.whole() }
		for flag, tt := range map[string]struct {
			a    spec.Answers
			want func(*spec.Spec)
		}{
			"change": {spec.Answers{ExistingRecords: "change"}, func(s *spec.Spec) {
				for i := range s.Domains {
					s.Domains[i].Keep = nil
				}
			}},
			"replace": {spec.Answers{OtherSigner: "replace"}, func(s *spec.Spec) {
				for i := range s.Domains {
					s.Domains[i].SignedBy = ""
				}
			}},
			"keep": {spec.Answers{OtherSigner: "keep"}, func(s *spec.Spec) { s.Host.NonsigningMilters = nil }},
		} {
			old, want := draw(), draw()
			tt.want(&want)
			got, findings := tt.a.Spec(&old, time.Now())
			if diff := sameSpec(want, got); diff != "" || findings != nil {
				t.Fatalf("seed %d, %s: %v\n%s", seed, flag, findings, diff)
			}
			if diff := sameSpec(draw(), old); diff != "" {
				t.Fatalf("seed %d, %s: the spec that was there changed:\n%s", seed, flag, diff)
			}
		}
	}
}

// A new domain begins as host.toml says, then as the answers say; those that are there
// and the host stay as they are. A list of many is what each alone is.
func TestNewDomainsLeaveTheOthersAlone(t *testing.T) {
	november := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	added := 0
	for seed := range uint64(150) {
		draw := func() spec.Spec { return chooser{rand.New(rand.NewPCG(seed, 7489))}.whole() }
		old, c := draw(), chooser{rand.New(rand.NewPCG(seed, 5155))}
		var list []spec.Answers
		for _, name := range []string{"new.example", "b.example", "0.example", "NEW.example."} {
			a, _ := c.someOf(domainAnswers)
			a.Domain, a.NewZone = name, c.of("", "no")
			list = append(list, a)
		}
		all, findings := old.WithDomains(list, november)
		if diff := sameSpec(draw(), old); diff != "" {
			t.Fatalf("seed %d: the spec that was there changed:\n%s", seed, diff)
		}
		if findings != nil {
			continue // such as an include beside a redirect of the defaults
		}
		added++
		if diff := sameSpec(old, all.Without("new.example", "0.example", map[bool]string{true: "", false: "b.example"}[old.Has("b.example")])); diff != "" {
			t.Fatalf("seed %d: what was there changed:\n%s", seed, diff)
		}
		if !slices.IsSortedFunc(all.Domains, func(a, b spec.Domain) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("seed %d: the domains are in no order", seed)
		}
		for _, a := range list[:3] {
			if old.Has(a.Domain) {
				continue
			}
			alone, findings := a.Spec(&old, november)
			if findings != nil {
				t.Fatalf("seed %d: %s alone: %v", seed, a.Domain, findings)
			}
			named := func(s spec.Spec) spec.Domain {
				return s.Domains[slices.IndexFunc(s.Domains, func(d spec.Domain) bool { return d.Name == a.Domain })]
			}
			if diff := sameSpec(named(alone), named(all)); diff != "" {
				t.Errorf("seed %d: %s in a list (-alone +in the list):\n%s", seed, a.Domain, diff)
			}
			if d, def := named(all), old.Host.Defaults; def.KeyBits != 0 && d.KeyBits != def.KeyBits || def.Selector != "" && d.Selector != def.Selector ||
				def.Selector == "" && d.Selector != "202611" || a.TTL == "" && def.TTL != 0 && d.TTL != def.TTL {
				t.Errorf("seed %d: %s begins as %+v with the defaults %+v", seed, a.Domain, d, def)
			}
		}
	}
	if added < 75 {
		t.Errorf("only %d specs got new domains", added)
	}
}

// The key of a domain that signs is not replaced by an answer; the file says what it
// said, in every form of the same value.
func TestAnswersReplaceNoKey(t *testing.T) {
	s, err := parse("", "key_bits = 2048\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		a     spec.Answers
		flags string
	}{
		{spec.Answers{Selector: "S1.", KeyBits: " 2048 "}, ""},
		{spec.Answers{Selector: "s2"}, "--selector"},
		{spec.Answers{KeyBits: "4096"}, "--key-bits"},
		{spec.Answers{Selector: "s2", KeyBits: "1024", Domain: "SHOP.example"}, "--selector --key-bits"},
		{spec.Answers{Selector: "s 2"}, "--selector"},
		{spec.Answers{Selector: "s2", KeyBits: "4096", Domain: "new.example"}, ""},
	} {
		got, findings := tt.a.Spec(&s, time.Now())
		flags := []string{}
		for _, f := range findings {
			flags = append(flags, f.Field)
			if f.Hint == "" {
				t.Errorf("%+v: %v has no hint", tt.a, f)
			}
		}
		if strings.Join(flags, " ") != tt.flags {
			t.Errorf("%+v: refused %q, want %q", tt.a, flags, tt.flags)
		}
		if d := got.Domains[len(got.Domains)-1]; d.Selector != "s1" || d.KeyBits != 2048 {
			t.Errorf("%+v: the key is %s with %d bits", tt.a, d.Selector, d.KeyBits)
		}
	}
}
