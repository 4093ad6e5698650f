package records_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/steptest"
)

func TestRevokedRecord(t *testing.T) {
	in := steptest.Manual()
	d := in.Spec.Domains[0]
	rrs := records.ForDomain(in.Spec.Host, d, []keyring.Key{{Selector: "old", Public: "AAAA", Stage: keyring.Revoked}, {Selector: "gone", Stage: keyring.Gone}})
	var values []string
	for _, r := range rrs {
		if strings.Contains(r.Name, "._domainkey.") {
			values = append(values, r.Name+" "+r.Value)
		}
	}
	if want := "old._domainkey." + d.Name + ". v=DKIM1; h=sha256; k=rsa; p="; len(values) != 1 || values[0] != want {
		t.Errorf("%q, want %q", values, want)
	}
}

func TestRecords(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Addresses = append(in.Spec.Host.Addresses, netip.MustParseAddr("2001:db8::10"))
	got := records.ForDomain(in.Spec.Host, in.Spec.Domains[0], in.Ledger["lab.example"])
	want := []state.Record{
		{Name: "mail.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.10"},
		{Name: "mail.lab.example.", Type: "AAAA", TTL: 3600, Value: "2001:db8::10"},
		{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "10 mail.lab.example."},
		{Name: "lab.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all"},
		{Name: "mail.lab.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"},
		{Name: "202611._domainkey.lab.example.", Type: "TXT", TTL: 3600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIB"},
		{Name: "_dmarc.lab.example.", Type: "TXT", TTL: 3600, Value: "v=DMARC1; p=none; rua=mailto:ops@lab.example"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRecordsOfAHostNamedLikeItsDomain(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname = "lab.example"
	in.Spec.Domains[0].Receive = false
	spf := 0
	for _, r := range records.ForDomain(in.Spec.Host, in.Spec.Domains[0], nil) {
		if strings.HasPrefix(r.Value, "v=spf1") {
			spf++
		}
		if r.Type == "MX" {
			t.Errorf("an MX for a domain that is not received here: %v", r)
		}
	}
	if spf != 1 {
		t.Errorf("%d SPF records at one name, want 1: two are a permanent error", spf)
	}
}

func TestDMARCTags(t *testing.T) {
	d := steptest.Bare().Spec.Domains[0]
	d.DMARC = spec.DMARC{
		Policy: "reject", SubdomainPolicy: "quarantine", ADKIM: "strict", ASPF: "relaxed",
		RUA: []string{"mailto:a@lab.example", "mailto:b@lab.example"}, RUF: []string{"mailto:c@lab.example"},
	}
	const want = "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; " +
		"rua=mailto:a@lab.example,mailto:b@lab.example; ruf=mailto:c@lab.example"
	if got := records.DMARC(d); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
