package records_test

import (
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/steptest"
)

// Of a domain that nobody sends as, SPF passes nobody, and of one without mail DMARC
// refuses what comes anyway; what an existing record says is asked about.
func TestRecordsOfADomainThatSendsNothing(t *testing.T) {
	in := steptest.Bare()
	for _, tt := range []struct{ role, spf, dmarc string }{
		{"", "v=spf1 ip4:192.0.2.10 ~all", "v=DMARC1; p=none"},
		{spec.SendOnly, "v=spf1 ip4:192.0.2.10 ~all", "v=DMARC1; p=none"},
		{spec.ReceiveOnly, "v=spf1 -all", "v=DMARC1; p=none"},
		{spec.Parked, "v=spf1 -all", "v=DMARC1; p=reject"},
	} {
		d := spec.Domain{Name: "shop.example", TTL: 600, Role: tt.role, Receive: tt.role == spec.ReceiveOnly, SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"}}
		at := map[string]state.Record{}
		for _, r := range records.ForDomain(in.Spec.Host, d, nil) {
			if r.Type == "TXT" {
				at[r.Name] = r
			}
		}
		spf, dmarc := at["shop.example."], at["_dmarc.shop.example."]
		if spf.Value != tt.spf || dmarc.Value != tt.dmarc {
			t.Errorf("%q: %s, %s", tt.role, spf.Value, dmarc.Value)
		}
		for _, ours := range []state.Record{spf, dmarc} {
			if v := records.Compare(in, d, ours, []state.Record{ours}); d.Role != "" && d.Role != spec.SendOnly && (v.Change != "" || len(v.Notes) > 0) {
				t.Errorf("%q: %s is right, and %+v", tt.role, ours.Value, v)
			}
		}
		if d.Sends() {
			continue
		}
		there := spf
		for _, theirs := range []string{"v=spf1 mx -all", "v=spf1 ~all", "v=spf1 redirect=lab.example"} {
			there.Value = theirs
			if v := records.Compare(in, d, spf, []state.Record{there}); v.Change != "v=spf1 -all" || !strings.Contains(v.Text, "you said that nobody sends as it") {
				t.Errorf("%q: %s: %+v", tt.role, theirs, v)
			}
		}
		two := records.Compare(in, d, spf, []state.Record{{Name: spf.Name, Type: "TXT", Value: "v=spf1 mx ~all"}, {Name: spf.Name, Type: "TXT", Value: "v=spf1 a ~all"}})
		if two.Replacement != "v=spf1 -all" && two.Change != "v=spf1 -all" {
			t.Errorf("%q: two records become %+v", tt.role, two)
		}
	}
}
