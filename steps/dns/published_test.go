package dns_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/steptest"
)

func TestPublishedElsewhere(t *testing.T) {
	in := steptest.Bare()
	in.Facts.Zones = nil
	in.Spec.Host.DNS = spec.DNSManual
	in.Facts.Live = map[string]state.LiveDNS{
		"mail.lab.example":   {Addresses: in.Spec.Host.Addresses, TXT: []string{"v=spf1 a -all"}},
		"lab.example":        {MX: []string{"mx.vendor.example"}, TXT: []string{"verify=1", "v=spf1 mx ~all"}},
		"_dmarc.lab.example": {TXT: []string{"v=DMARC1; p=reject; rua=mailto:ops@lab.example"}},
	}
	in.Facts.SPF = steptest.Denied("lab.example", "v=spf1 mx ~all", 1)
	in.Facts.SPF["mail.lab.example"] = state.SPF{Record: "v=spf1 a -all", Lookups: 1}
	list, notes := dns.RecordsToPrint(in, in.Spec.Domains[0])
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
	for _, n := range steptest.Build(t, in).Notes {
		if strings.Contains(n.Action, "ip4:192.0.2.10") && !strings.Contains(n.Action, "v=spf1 ip4:192.0.2.10 mx ~all") {
			t.Errorf("what is printed:\n%s", n.Action)
		}
	}
	in.Facts.Live["lab.example"] = state.LiveDNS{TXT: []string{"v=spf1 mx ~all", "v=spf1 a -all"}}
	list, notes = dns.RecordsToPrint(in, in.Spec.Domains[0])
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
		in := steptest.Having(t, lines, nil)
		in.Spec.Domains[0].Receive = true
		in.Spec.Domains[0].Keep = []string{"spf", "dmarc"}
		var got []string
		for _, r := range dns.ServedRecords(in, in.Spec.Domains[0]) {
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
	in := steptest.Having(t, "", nil)
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "reports.example.", Kind: "primary", File: "/etc/bind/db.reports.example"})
	in.Spec.Domains[0].DMARC.RUA = []string{"mailto:a@reports.example"}
	const consent = "lab.example._report._dmarc.reports.example."
	for mode, want := range map[spec.DNSMode]bool{spec.DNSBind: true, spec.DNSManual: false} {
		in.Spec.Host.DNS = mode
		got := slices.ContainsFunc(dns.ServedRecords(in, in.Spec.Domains[0]), func(r state.Record) bool { return r.Name == consent && r.Value == "v=DMARC1" })
		if got != want {
			t.Errorf("%s: waited for: %v, want %v", mode, got, want)
		}
	}
	// A zone that takes updates has an exchanger of its own, which stays.
	in.Spec.Host.DNS, in.Facts.Zones = spec.DNSUpdate, nil
	in.Spec.Domains[0].Receive = true
	in.Facts.Updated = []state.Zone{{Origin: "lab.example.", Records: []state.Record{{Name: "lab.example.", Type: "MX", Value: "10 mx.vendor.example."}}}}
	for _, r := range dns.ServedRecords(in, in.Spec.Domains[0]) {
		if r.Type == "MX" {
			t.Errorf("waits for %+v", r)
		}
	}
}
