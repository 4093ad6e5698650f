package spec

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec/syntax"
)

func november() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

func fewAnswers() Answers {
	return Answers{Domain: "Shop.example.", Hostname: "mail.shop.example", Addresses: []string{"192.0.2.25", "2001:DB8::25", "192.0.2.25"}}
}

func build(t *testing.T, a Answers, old *Spec) Spec {
	t.Helper()
	got, findings := a.Spec(old, november())
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSpecDefaults(t *testing.T) {
	equal(t, "spec", build(t, fewAnswers(), nil), Spec{
		Host: Host{
			Version: 1, Hostname: "mail.shop.example", Domain: "shop.example", DNS: DNSManual, MilterDefaultAction: "tempfail", Drain: 14 * 24 * time.Hour,
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")},
		},
		Domains: []Domain{{
			Name: "shop.example", Selector: "202611", KeyBits: 2048, TTL: 3600, SPF: SPF{All: "softfail"}, DMARC: DMARC{Policy: "none"},
		}},
	})
}

func allAnswers() Answers {
	a := fewAnswers()
	a.Selector, a.KeyBits, a.DNS, a.NewZone, a.TTL, a.Receive = "S1", "3072", "bind", "yes", "300", "yes"
	a.NS = []string{"ns1.shop.example", "ns2.other.example."}
	a.Notify = "ops@other.example"
	a.RootAlias, a.SPFAll, a.SPFInclude = "Alice@other.example", "-all", []string{"_spf.news.example"}
	a.DMARC, a.DMARCSP, a.ADKIM, a.ASPF = "quarantine", "reject", "s", "r"
	a.RUA, a.RUF, a.MilterDefaultAction = []string{"d@shop.example"}, []string{"mailto:f@shop.example"}, "accept"
	return a
}

func TestSpecAnswers(t *testing.T) {
	got := build(t, allAnswers(), nil)
	equal(t, "domain", got.Domains, []Domain{{
		Name: "shop.example", Selector: "s1", KeyBits: 3072, Receive: true, TTL: 300, NewZone: true,
		NS:  []string{"ns1.shop.example", "ns2.other.example"},
		SPF: SPF{All: "fail", Include: []string{"_spf.news.example"}},
		DMARC: DMARC{
			Policy: "quarantine", SubdomainPolicy: "reject", ADKIM: "strict", ASPF: "relaxed",
			RUA: []string{"mailto:d@shop.example"}, RUF: []string{"mailto:f@shop.example"},
		},
	}})
	equal(t, "dns", got.Host.DNS, DNSBind)
	equal(t, "root", got.Host.RootAlias, "Alice@other.example")
	equal(t, "notify", got.Host.Notify, "ops@other.example")
	equal(t, "action", got.Host.MilterDefaultAction, "accept")
}

// What the spec says wins over defaults: another month changes nothing.
func TestSpecAgain(t *testing.T) {
	old := build(t, allAnswers(), nil)
	for name, a := range map[string]Answers{"no answer": {}, "the same answers": allAnswers()} {
		got, findings := a.Spec(&old, november().AddDate(0, 1, 0))
		if findings != nil {
			t.Errorf("%s: %v", name, findings)
		}
		equal(t, name, got, old)
	}
}

func TestSpecChange(t *testing.T) {
	old := build(t, allAnswers(), nil)
	a := Answers{TTL: "600", RUF: []string{"none"}, RootAlias: "none", Notify: "none", NS: []string{"ns3.shop.example"}}
	got := build(t, a, &old)
	want := old.clone(0)
	want.Host.RootAlias, want.Host.Notify = "", ""
	want.Domains[0].TTL, want.Domains[0].DMARC.RUF, want.Domains[0].NS = 600, nil, []string{"ns3.shop.example"}
	equal(t, "changed", got, want)
	equal(t, "the old one", old, build(t, allAnswers(), nil))
}

func TestSpecSecondDomain(t *testing.T) {
	old := build(t, allAnswers(), nil)
	got := build(t, Answers{Domain: "b.example", Selector: "x"}, &old)
	equal(t, "primary", got.Host, old.Host)
	equal(t, "old", got.Domains[1], old.Domains[0])
	equal(t, "new", got.Domains[0], Domain{Name: "b.example", Selector: "x", KeyBits: 2048, TTL: 3600, SPF: SPF{All: "softfail"}, DMARC: DMARC{Policy: "none"}})
	equal(t, "how many", len(old.Domains), 1)
}

func TestReportsGoToRootAlias(t *testing.T) {
	for name, test := range map[string]struct{ root, receive, want string }{
		"in the domain":         {"alice@shop.example", "no", "mailto:alice@shop.example"},
		"below it":              {"alice@office.shop.example", "no", "mailto:alice@office.shop.example"},
		"elsewhere, receiving":  {"alice@other.example", "yes", "mailto:postmaster@shop.example"},
		"elsewhere, sends only": {"alice@other.example", "no", ""},
		"looks like it":         {"alice@notshop.example", "no", ""},
		"nobody":                {"", "yes", ""},
	} {
		a := fewAnswers()
		a.RootAlias, a.Receive = test.root, test.receive
		got := build(t, a, nil).Domains[0].DMARC.RUA
		equal(t, name, strings.Join(got, " "), test.want)
	}
}

func TestSpecFindsAll(t *testing.T) {
	a := fewAnswers()
	a.Hostname, a.KeyBits, a.TTL, a.Addresses = "localhost", "1000", "1", []string{"10.0.0.1", "192.0.2.1", "x"}
	_, findings := a.Spec(nil, november())
	var fields []string
	for _, f := range findings {
		fields = append(fields, f.Field)
	}
	equal(t, "fields", fields, []string{"--hostname", "--ip", "--ip", "--key-bits", "--ttl"})
	_, findings = Answers{}.Spec(nil, november())
	equal(t, "nothing answered", findings.Error(), "--domain: is needed\n--hostname: is needed\n--ip: is needed")
}

func TestSpecRefusesRotation(t *testing.T) {
	old := build(t, fewAnswers(), nil)
	_, findings := Answers{Selector: "new", KeyBits: "4096"}.Spec(&old, november())
	want := `--selector "new" instead of "202611" is a rotation of the key of shop.example; hint: leave the flag out; mailsetup rotate-dkim --now shop.example begins one, and the new key gets a selector of its own
--key-bits: 4096 instead of 2048 is a rotation of the key of shop.example; hint: leave the flag out; write key_bits = 4096 into /etc/mailsetup/domains.d/shop.example.toml, and rotate-dkim replaces a key that is smaller`
	equal(t, "findings", findings.Error(), want)
	same, findings := Answers{Selector: " 202611.", KeyBits: "2048"}.Spec(&old, november())
	equal(t, "findings on the same key", findings, syntax.Findings(nil))
	equal(t, "the same key", same, old)
}

func TestMissing(t *testing.T) {
	old := build(t, fewAnswers(), nil)
	for name, test := range map[string]struct {
		answers Answers
		old     *Spec
		want    string
	}{
		"nothing":      {Answers{}, nil, "--domain --hostname --ip"},
		"all":          {fewAnswers(), nil, ""},
		"from before":  {Answers{}, &old, ""},
		"new zone":     {Answers{NewZone: "yes"}, &old, "--ns"},
		"no new zone":  {Answers{NewZone: "no"}, &old, ""},
		"with servers": {Answers{NewZone: "y", NS: []string{"ns.shop.example"}}, &old, ""},
		"one of three": {Answers{Hostname: "mail.shop.example", Domain: "shop.example"}, nil, "--ip"},
	} {
		equal(t, name, strings.Join(test.answers.Missing(test.old), " "), test.want)
	}
}

func TestValidate(t *testing.T) {
	good := func() Spec { return Spec{Host: someHost(), Domains: []Domain{someDomain()}} }
	if findings := good().Validate(); findings != nil {
		t.Fatal(findings)
	}
	// also adds a domain that signs for further senders, beside one that signs
	// for all below it and for ann everywhere.
	also := func(name string, senders ...string) func(*Spec) {
		return func(s *Spec) {
			s.Domains[0].Subdomains, s.Domains[0].Also = true, []string{"ann@*"}
			d := someDomain()
			d.Name, d.Also = name, senders
			s.Domains = sorted(append(s.Domains, d))
		}
	}
	different := good()
	also("lab.example", "*", ".lab.example", "ann@shop.example", "ann@.shop.example", "bob@*")(&different)
	news := someDomain() // one sender of a domain that signs for that one only, and not for itself
	news.Name, news.Partial, news.Also = "lab2.example", true, []string{"news@lab2.example"}
	different.Domains[0].Also = append(different.Domains[0].Also, "lab2.example")
	different.Domains = sorted(append(different.Domains, news))
	if findings := different.Validate(); findings != nil {
		t.Error(findings)
	}
	for want, change := range map[string]func(*Spec){
		"host: version: 2": func(s *Spec) { s.Host.Version = 2 },
		`host: hostname "Mail.shop.example" is not in its normal form; hint: write "mail.shop.example"`: func(s *Spec) { s.Host.Hostname = "Mail.shop.example" },
		"host: addresses: are missing":      func(s *Spec) { s.Host.Addresses = nil },
		`host: addresses "10.0.0.1" is a p`: func(s *Spec) { s.Host.Addresses[0] = netip.MustParseAddr("10.0.0.1") },
		`host: addresses "invalid IP" is n`: func(s *Spec) { s.Host.Addresses[0] = netip.Addr{} },
		`host: domain "b.example" has no f`: func(s *Spec) { s.Host.Domain = "b.example" },
		`host: dns "" is not bind, rfc2136`: func(s *Spec) { s.Host.DNS = "" },
		`host: root_alias "root" has no @`:  func(s *Spec) { s.Host.RootAlias = "root" },
		`host: root_alias "Postmaster@shop.example" is delivered here as root's own mail`: func(s *Spec) {
			s.Host.RootAlias, s.Domains[0].Receive = "Postmaster@shop.example", true
		},
		`host: root_alias "root@mail.shop.example" is d`:                        func(s *Spec) { s.Host.RootAlias = "root@mail.shop.example" },
		`host: notify "ops" has no @`:                                           func(s *Spec) { s.Host.Notify = "ops" },
		"host: notify \"a@b.example\\nBcc: x@y.example\" has a domain that":     func(s *Spec) { s.Host.Notify = "a@b.example\nBcc: x@y.example" },
		`host: milter_default_action "x" i`:                                     func(s *Spec) { s.Host.MilterDefaultAction = "x" },
		`host: sign_bounces "Yes" is not in its normal form; hint: write "yes"`: func(s *Spec) { s.Host.SignBounces = "Yes" },
		`host: leave_services "submission" is not the`:                          func(s *Spec) { s.Host.LeaveServices = []string{"submission"} },
		`shop.example: wildcard_records "x" is not copy or drop`:                func(s *Spec) { s.Domains[0].WildcardRecords = "x" },
		`shop.example: keep "x" is not spf, helo or d`:                          func(s *Spec) { s.Domains[0].Keep = []string{"x"} },
		`lab.example: also "shop.example" is a sender of /etc/mailsetup/domains.d/shop.example.toml already; ` +
			`hint: take "shop.example" out of also in /etc/mailsetup/domains.d/lab.example.toml`: also("lab.example", "shop.example"),
		`z.example: also ".shop.example" is a sender of /etc/mailsetup/domains.d/shop.example.toml al`:  also("z.example", ".shop.example"),
		`z.example: also "ann@*" is a sender of /etc/mailsetup/domains.d/shop.example.toml already; hi`: also("z.example", "ann@*"),
		`shop.example: also "shop.example" is a sender of /etc/mailsetup/domains.d/shop.example.toml a`: func(s *Spec) {
			s.Domains[0].Also = []string{"shop.example"}
		},
		"shop.example: is there twice":      func(s *Spec) { s.Domains = append(s.Domains, s.Domains[0]) },
		`shop.example: selector "A" is not`: func(s *Spec) { s.Domains[0].Selector = "A" },
		`shop.example: key_bits "512" is n`: func(s *Spec) { s.Domains[0].KeyBits = 512 },
		`shop.example: ttl "0" is not a nu`: func(s *Spec) { s.Domains[0].TTL = 0 },
		"shop.example: ns: is empty, and a": func(s *Spec) { s.Domains[0].NewZone = true },
		`shop.example: ns "ns" is a single`: func(s *Spec) { s.Domains[0].NS = []string{"ns"} },
		"shop.example: new_zone: needs dns bind": func(s *Spec) {
			s.Host.DNS, s.Domains[0].NewZone, s.Domains[0].NS = DNSManual, true, []string{"ns.shop.example"}
		},
		`shop.example: spf.all "" is not s`: func(s *Spec) { s.Domains[0].SPF.All = "" },
		`shop.example: spf.include "shop.e`: func(s *Spec) { s.Domains[0].SPF.Include[0] = "shop.example" },
		"shop.example: spf.include: makes 11 DNS lookups": func(s *Spec) {
			s.Domains[0].SPF.Include = strings.Split(strings.Repeat("a.example ", 9)+"a.example", " ")
		},
		`shop.example: dmarc.policy "x" is`: func(s *Spec) { s.Domains[0].DMARC.Policy = "x" },
		`shop.example: dmarc.subdomain_pol`: func(s *Spec) { s.Domains[0].DMARC.SubdomainPolicy = "x" },
		`shop.example: dmarc.adkim "r" is `: func(s *Spec) { s.Domains[0].DMARC.ADKIM = "r" },
		`shop.example: dmarc.aspf "x" is n`: func(s *Spec) { s.Domains[0].DMARC.ASPF = "x" },
		`shop.example: dmarc.rua "a@b.exam`: func(s *Spec) { s.Domains[0].DMARC.RUA = []string{"a@b.example"} },
		`shop.example: dmarc.ruf "a@b" has`: func(s *Spec) { s.Domains[0].DMARC.RUF = []string{"a@b"} },
		"makes a key record's name of 254 octets": func(s *Spec) {
			label := strings.Repeat("s", 63)
			s.Domains[0].Selector = label + "." + label + "." + label + "." + strings.Repeat("s", 254-12-192-12)
		},
	} {
		s := good()
		change(&s)
		findings := s.Validate()
		if len(findings) != 1 || !strings.Contains(findings.Error(), want) {
			t.Errorf("want only %q, got:\n%v", want, findings)
		}
	}
}

// The flag that says yes takes back an earlier no; no flag and the flag that
// says no leave it where it is.
func TestSpecConsents(t *testing.T) {
	old := build(t, fewAnswers(), nil)
	old.Host.SignBounces, old.Host.LeaveServices = "no", []string{"submission/inet"}
	old.Domains[0].Keep = []string{"spf", "dmarc"}
	with := func(change func(*Spec)) Spec {
		s := old.clone(0)
		change(&s)
		return s
	}
	for name, test := range map[string]struct {
		answers Answers
		want    Spec
	}{
		"no flag":          {Answers{}, old},
		"no, and no again": {Answers{ExistingRecords: "keep", ServiceMilters: "keep", SignBounces: "no"}, old},
		"change":           {Answers{ExistingRecords: "change"}, with(func(s *Spec) { s.Domains[0].Keep = nil })},
		"merge":            {Answers{ServiceMilters: "merge"}, with(func(s *Spec) { s.Host.LeaveServices = nil })},
		"copy":             {Answers{WildcardRecords: "Copy"}, with(func(s *Spec) { s.Domains[0].WildcardRecords = "copy" })},
		"sign bounces":     {Answers{SignBounces: "yes"}, with(func(s *Spec) { s.Host.SignBounces = "yes" })},
	} {
		equal(t, name, build(t, test.answers, &old), test.want)
	}
	equal(t, "the old one", old.Domains[0].Keep, []string{"spf", "dmarc"})
	bad := Answers{ExistingRecords: "yes", ServiceMilters: "no", SignBounces: "keep", WildcardRecords: "yes"}.Check()
	equal(t, "fields", []string{bad[0].Field, bad[1].Field, bad[2].Field, bad[3].Field}, []string{"--sign-bounces", "--wildcard-records", "--existing-records", "--service-milters"})
}

func TestFurther(t *testing.T) {
	old := build(t, fewAnswers(), nil)
	a := Answers{DNS: "rfc2136", UpdateKey: "/etc/k", SPFRedirect: "yes", Subdomains: "yes", DMARC: "reject"}
	about := func(name, selector string) Answers {
		a := a
		a.Domain, a.Selector = name, selector
		return a
	}
	got, findings := old.WithDomains([]Answers{
		about("Z.example", "s-Z"), about("shop.example", "s-s"), about("a.example", "s-a"), about("z.example.", "again"),
	}, november())
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	further := func(name, selector string) Domain {
		return Domain{
			Name: name, Selector: selector, KeyBits: 2048, TTL: 3600, DNS: DNSUpdate, Update: Update{KeyFile: "/etc/k"},
			Subdomains: true, SPF: SPF{All: "softfail", Redirect: "shop.example"}, DMARC: DMARC{Policy: "reject"},
		}
	}
	equal(t, "domains", got.Domains, []Domain{further("a.example", "s-a"), old.Domains[0], further("z.example", "s-z")})
	equal(t, "host", got.Host, old.Host)
	equal(t, "mode", got.DNSOf(got.Domains[0]), DNSUpdate)
	equal(t, "key", got.UpdateOf(got.Domains[0]), Update{KeyFile: "/etc/k"})
	equal(t, "removed", got.Without("a.example", "z.example"), old)

	// The way of the host is no way of the domain's own.
	same, findings := old.WithDomains([]Answers{{Domain: "a.example", DNS: "manual"}}, november())
	if d := same.Domains[0]; findings != nil || d.DNS != "" || same.DNSOf(d) != DNSManual {
		t.Errorf("%+v, %v", d, findings)
	}
	for text, refused := range map[string]struct {
		a    Answers
		name string
	}{
		`DOMAIN "a\nb.example"`:            {Answers{}, "a\nb.example"},
		"rfc2136.key_file: is empty":       {Answers{DNS: "rfc2136"}, "a.example"},
		"spf.include: does not count":      {Answers{SPFRedirect: "yes", SPFInclude: []string{"b.example"}}, "a.example"},
		"a.example: new_zone: needs dns b": {Answers{NewZone: "yes", NS: []string{"ns.a.example"}}, "a.example"},
	} {
		refused.a.Domain = refused.name
		_, findings := old.WithDomains([]Answers{refused.a}, november())
		if len(findings) != 1 || !strings.Contains(findings.Error(), text) {
			t.Errorf("want only %q, got:\n%v", text, findings)
		}
	}
}
