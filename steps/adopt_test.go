package steps

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

func TestAdopt(t *testing.T) {
	const spf, dmarc = "the SPF record of lab.example says so", "the DMARC record of lab.example says so"
	for _, c := range []struct {
		name, lines string
		given, want spec.Answers
		why         Adopted
	}{
		{"nothing there", "", spec.Answers{}, spec.Answers{}, Adopted{}},
		{
			"all of it", "@ IN TXT \"v=spf1 mx include:_spf.Vendor.example ?include:x.example include:%{d}.y.example include:Lab.example ip4:192.0.2.0/24 -all\"\n" +
				"_dmarc IN TXT \"v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; rua=mailto:a@lab.example!10m,https://r.example/; ruf=mailto:b@lab.example; fo=1\"",
			spec.Answers{},
			spec.Answers{
				SPFAll: "fail", SPFInclude: []string{"_spf.vendor.example"}, DMARC: "reject", DMARCSP: "quarantine", ADKIM: "strict", ASPF: "relaxed",
				RUA: []string{"mailto:a@lab.example"}, RUF: []string{"mailto:b@lab.example"},
			},
			Adopted{spf, dmarc},
		},
		{
			"flags win", "@ IN TXT \"v=spf1 include:_spf.vendor.example -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject; rua=mailto:a@lab.example\"",
			spec.Answers{SPFAll: "neutral", SPFInclude: []string{"other.example"}, DMARC: "none", RUA: []string{"b@lab.example"}},
			spec.Answers{SPFAll: "neutral", SPFInclude: []string{"other.example"}, DMARC: "none", RUA: []string{"b@lab.example"}},
			Adopted{spf, dmarc},
		},
		{"everybody passes", `@ IN TXT "v=spf1 +all"`, spec.Answers{}, spec.Answers{SPFAll: "neutral"}, Adopted{SPF: spf}},
		{"no all", `@ IN TXT "v=spf1 mx"`, spec.Answers{}, spec.Answers{SPFAll: "neutral"}, Adopted{SPF: spf}},
		{"a redirect", `@ IN TXT "v=spf1 redirect=_spf.lab.example"`, spec.Answers{}, spec.Answers{}, Adopted{SPF: spf}},
		{"no reports, so none by default", `_dmarc IN TXT "v=DMARC1; p=none"`, spec.Answers{}, spec.Answers{DMARC: "none", RUA: []string{"none"}}, Adopted{DMARC: dmarc}},
		{"an unknown policy", `_dmarc IN TXT "v=DMARC1; p=monitor; rua=mailto:a@lab.example"`, spec.Answers{}, spec.Answers{RUA: []string{"mailto:a@lab.example"}}, Adopted{DMARC: dmarc}},
		{"mistakes and duplicates", "@ IN TXT \"v=spf1 -all\"\n@ IN TXT \"v=spf1 mx -all\"\n_dmarc IN TXT \"v=DMARC1; p none\"", spec.Answers{}, spec.Answers{}, Adopted{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := having(t, c.lines+"\n", nil)
			in.Facts.Live = map[string]state.LiveDNS{"lab.example": {TXT: []string{"v=spf1 a:wrong.example ~all"}}}
			got, why := Adopt(c.given, in.Facts, "lab.example")
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if why != c.why {
				t.Errorf("because %q, want %q", why, c.why)
			}
		})
	}
}

func TestAdoptFromDNS(t *testing.T) {
	want := spec.Answers{SPFAll: "fail", DMARC: "reject", RUA: []string{"none"}}
	live := map[string]state.LiveDNS{
		"lab.example":        {TXT: []string{"verify=1", "v=spf1 mx -all"}},
		"_dmarc.lab.example": {TXT: []string{"v=DMARC1; p=reject"}},
	}
	f := state.Facts{Live: live, Zones: []state.Zone{{Origin: "lab.example.", Problem: "it is a secondary zone here"}}}
	if got, _ := Adopt(spec.Answers{}, f, "lab.example"); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
	// A policy that is made elsewhere is found behind its alias.
	in := having(t, "@ IN TXT \"v=spf1 mx -all\"\n_dmarc IN CNAME lab.vendor.example.\n", nil)
	in.Facts.Live = live
	if got, _ := Adopt(spec.Answers{}, in.Facts, "lab.example"); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
}

// What was adopted is no difference: the record is right then.
func TestWhatWasAdoptedIsRight(t *testing.T) {
	for _, lines := range []string{
		`@ IN TXT "v=spf1 ip4:192.0.2.10 ?all"`,
		`@ IN TXT "v=spf1 ip4:192.0.2.10"`,
		`@ IN TXT "v=spf1 ip4:192.0.2.10 redirect=_spf.lab.example"`,
		`@ IN TXT "v=spf1 ip4:192.0.2.10 include:a.example -all"`,
		`_dmarc IN TXT "v=DMARC1; p=reject"`,
		`_dmarc IN TXT "v=DMARC1; rua=https://r.example/; p=quarantine; sp=none; aspf=s; pct=10"`,
		`_dmarc IN TXT "v=DMARC1;"`,
	} {
		in := having(t, lines+"\n", nil)
		a, _ := Adopt(spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, RootAlias: "ops@lab.example", DNS: "bind", Receive: "no"}, in.Facts, "lab.example")
		want, findings := a.Spec(nil, now)
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		want.Domains[0].Selector = "202611"
		in.Spec = want
		name := "lab.example."
		if strings.HasPrefix(lines, "_dmarc") {
			name = "_dmarc." + name
		}
		t.Run(lines, func(t *testing.T) { saysNothingOf(t, in, name) })
	}
}

func TestPublishedElsewhere(t *testing.T) {
	in := bare()
	in.Facts.Zones = nil
	in.Spec.Host.DNS = spec.DNSManual
	in.Facts.Live = map[string]state.LiveDNS{
		"mail.lab.example":   {Addresses: in.Spec.Host.Addresses, TXT: []string{"v=spf1 a -all"}},
		"lab.example":        {MX: []string{"mx.vendor.example"}, TXT: []string{"verify=1", "v=spf1 mx ~all"}},
		"_dmarc.lab.example": {TXT: []string{"v=DMARC1; p=reject; rua=mailto:ops@lab.example"}},
	}
	in.Facts.SPF = denied("lab.example", "v=spf1 mx ~all", 1)
	in.Facts.SPF["mail.lab.example"] = state.SPF{Record: "v=spf1 a -all", Lookups: 1}
	list, notes := Published(in, in.Spec.Domains[0])
	var got []string
	for _, p := range list {
		line := strings.Join([]string{p.Name, p.Type, p.Value}, " ")
		for _, r := range p.Replaces {
			line += " instead of " + r
		}
		got = append(got, line)
	}
	want := []string{
		"mail.lab.example. A 192.0.2.10",
		"lab.example. MX 10 mail.lab.example.",
		"lab.example. TXT v=spf1 ip4:192.0.2.10 mx ~all instead of v=spf1 mx ~all",
		"mail.lab.example. TXT v=spf1 a -all",
		"202611._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=MIIB",
		"_dmarc.lab.example. TXT v=DMARC1; p=none; rua=mailto:ops@lab.example instead of v=DMARC1; p=reject; rua=mailto:ops@lab.example",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	texts := []string{notes[0].Text, notes[1].Text}
	if d := cmp.Diff([]string{
		"the SPF record of lab.example does not let 192.0.2.10 of this server pass; it takes 1 of the 10 DNS look-ups that receivers make, before and after. " +
			"What is printed for lab.example replaces your record: v=spf1 mx ~all",
		"the DMARC record of lab.example says p=reject, stricter than the p=none you asked for. " +
			"What is printed for _dmarc.lab.example replaces your record: v=DMARC1; p=reject; rua=mailto:ops@lab.example",
	}, texts); d != "" {
		t.Error(d)
	}
	for _, n := range build(t, in).Notes {
		if strings.Contains(n.Do, "ip4:192.0.2.10") && !strings.Contains(n.Do, "v=spf1 ip4:192.0.2.10 mx ~all") {
			t.Errorf("what is printed:\n%s", n.Do)
		}
	}
	in.Facts.Live["lab.example"] = state.LiveDNS{TXT: []string{"v=spf1 mx ~all", "v=spf1 a -all"}}
	list, notes = Published(in, in.Spec.Domains[0])
	if p := list[2]; p.Value != "v=spf1 mx a ~all" || len(p.Replaces) != 2 || !strings.Contains(notes[0].Text, "2 SPF records") {
		t.Errorf("%+v %v", p, notes)
	}
}

// What name servers should have in the end is ours, what the zone has that does
// the same, and nothing where its administrator has something else.
func TestServed(t *testing.T) {
	const key = "202611._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=MIIB"
	for lines, want := range map[string][]string{
		"": {
			"mail.lab.example. A 192.0.2.10", "lab.example. MX 10 mail.lab.example.", "lab.example. TXT v=spf1 ip4:192.0.2.10 mx ~all",
			"mail.lab.example. TXT v=spf1 ip4:192.0.2.10 ~all", key, "_dmarc.lab.example. TXT v=DMARC1; p=none; rua=mailto:ops@lab.example",
		},
		"@ IN MX 10 mx.vendor.example.\n@ IN TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"\n_dmarc IN CNAME x.vendor.example.\n": {
			"mail.lab.example. A 192.0.2.10", "lab.example. TXT v=spf1 ip4:192.0.2.0/24 ~all", "mail.lab.example. TXT v=spf1 ip4:192.0.2.10 ~all", key,
		},
		"mail IN A 192.0.2.77\nmail IN A 192.0.2.10\n@ IN MX 5 mail\n@ IN TXT \"v=spf1 -all\"\n@ IN TXT \"v=spf1 mx -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject; fo=1\"\n": {
			"mail.lab.example. A 192.0.2.10", "lab.example. MX 10 mail.lab.example.", "mail.lab.example. TXT v=spf1 ip4:192.0.2.10 ~all", key,
			"_dmarc.lab.example. TXT v=DMARC1; p=reject; fo=1",
		},
	} {
		in := having(t, lines, nil)
		in.Spec.Domains[0].Receive = true
		in.Spec.Domains[0].Keep = []string{"spf", "dmarc"}
		var got []string
		for _, r := range Served(in, in.Spec.Domains[0]) {
			got = append(got, strings.Join([]string{r.Name, r.Type, r.Value}, " "))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s\n%s", lines, d)
		}
	}
}

// Reports to a domain whose zone is here have its consent, which is published
// and therefore waited for.
func TestServedConsent(t *testing.T) {
	in := having(t, "", nil)
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "reports.example.", Kind: "primary", File: "/etc/bind/db.reports.example"})
	in.Spec.Domains[0].DMARC.RUA = []string{"mailto:a@reports.example"}
	const consent = "lab.example._report._dmarc.reports.example."
	for mode, want := range map[spec.DNSMode]bool{spec.DNSBind: true, spec.DNSManual: false} {
		in.Spec.Host.DNS = mode
		got := slices.ContainsFunc(Served(in, in.Spec.Domains[0]), func(r state.Record) bool { return r.Name == consent && r.Value == "v=DMARC1" })
		if got != want {
			t.Errorf("%s: waited for: %v, want %v", mode, got, want)
		}
	}
	// A zone that takes updates has an exchanger of its own, which stays.
	in.Spec.Host.DNS, in.Facts.Zones = spec.DNSUpdate, nil
	in.Spec.Domains[0].Receive = true
	in.Facts.Updated = []state.Zone{{Origin: "lab.example.", Records: []state.Record{{Name: "lab.example.", Type: "MX", Value: "10 mx.vendor.example."}}}}
	for _, r := range Served(in, in.Spec.Domains[0]) {
		if r.Type == "MX" {
			t.Errorf("waits for %+v", r)
		}
	}
}
