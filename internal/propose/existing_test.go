package propose_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

func txt(name, value string) state.Record {
	return state.Record{Name: name, TTL: 300, Type: "TXT", Value: value}
}

// served are the facts about a machine whose BIND has lab.example with records.
func served(records ...state.Record) state.Facts {
	return state.Facts{
		FQDN: "mail.lab.example", DNS: state.BIND,
		Zones: []state.Zone{{
			Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab.example",
			Records: append([]state.Record{{Name: "mail.lab.example.", TTL: 300, Type: "A", Value: "192.0.2.10"}}, records...),
		}},
	}
}

func TestFromRecords(t *testing.T) {
	const spf, dmarc = "the SPF record of lab.example says so", "the DMARC record of lab.example says so"
	apex := func(value string) state.Record { return txt("lab.example.", value) }
	policy := func(value string) state.Record { return txt("_dmarc.lab.example.", value) }
	for _, c := range []struct {
		name        string
		records     []state.Record
		given, want spec.Answers
		source      propose.Source
	}{
		{"nothing there", nil, spec.Answers{}, spec.Answers{}, propose.Source{}},
		{
			"all of it",
			[]state.Record{
				apex("v=spf1 mx include:_spf.Vendor.example ?include:x.example include:%{d}.y.example include:Lab.example ip4:192.0.2.0/24 -all"),
				policy("v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; rua=mailto:a@lab.example!10m,https://r.example/; ruf=mailto:b@lab.example; fo=1"),
			},
			spec.Answers{},
			spec.Answers{
				SPFAll: "fail", SPFInclude: []string{"_spf.vendor.example"}, DMARC: "reject", DMARCSP: "quarantine", ADKIM: "strict", ASPF: "relaxed",
				RUA: []string{"mailto:a@lab.example"}, RUF: []string{"mailto:b@lab.example"},
			},
			propose.Source{SPF: spf, DMARC: dmarc},
		},
		{
			"flags win",
			[]state.Record{apex("v=spf1 include:_spf.vendor.example -all"), policy("v=DMARC1; p=reject; rua=mailto:a@lab.example")},
			spec.Answers{SPFAll: "neutral", SPFInclude: []string{"other.example"}, DMARC: "none", RUA: []string{"b@lab.example"}},
			spec.Answers{SPFAll: "neutral", SPFInclude: []string{"other.example"}, DMARC: "none", RUA: []string{"b@lab.example"}},
			propose.Source{SPF: spf, DMARC: dmarc},
		},
		{"everybody passes", []state.Record{apex("v=spf1 +all")}, spec.Answers{}, spec.Answers{SPFAll: "neutral"}, propose.Source{SPF: spf}},
		{"no all", []state.Record{apex("v=spf1 mx")}, spec.Answers{}, spec.Answers{SPFAll: "neutral"}, propose.Source{SPF: spf}},
		{"a redirect", []state.Record{apex("v=spf1 redirect=_spf.lab.example")}, spec.Answers{}, spec.Answers{}, propose.Source{SPF: spf}},
		{
			"no reports, so none by default",
			[]state.Record{policy("v=DMARC1; p=none")},
			spec.Answers{},
			spec.Answers{DMARC: "none", RUA: []string{"none"}},
			propose.Source{DMARC: dmarc},
		},
		{
			"an unknown policy",
			[]state.Record{policy("v=DMARC1; p=monitor; rua=mailto:a@lab.example")},
			spec.Answers{},
			spec.Answers{RUA: []string{"mailto:a@lab.example"}},
			propose.Source{DMARC: dmarc},
		},
		{
			"mistakes and duplicates",
			[]state.Record{apex("v=spf1 -all"), apex("v=spf1 mx -all"), policy("v=DMARC1; p none")},
			spec.Answers{},
			spec.Answers{},
			propose.Source{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := served(c.records...)
			f.Live = map[string]state.LiveDNS{"lab.example": {TXT: []string{"v=spf1 a:wrong.example ~all"}}}
			got, source := propose.FromRecords(c.given, f, "lab.example")
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if source != c.source {
				t.Errorf("because %q, want %q", source, c.source)
			}
		})
	}
}

func TestFromRecordsInDNS(t *testing.T) {
	want := spec.Answers{SPFAll: "fail", DMARC: "reject", RUA: []string{"none"}}
	live := map[string]state.LiveDNS{
		"lab.example":        {TXT: []string{"verify=1", "v=spf1 mx -all"}},
		"_dmarc.lab.example": {TXT: []string{"v=DMARC1; p=reject"}},
	}
	f := state.Facts{Live: live, Zones: []state.Zone{{Origin: "lab.example.", Problem: "it is a secondary zone here"}}}
	if got, _ := propose.FromRecords(spec.Answers{}, f, "lab.example"); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
	// A policy that is made elsewhere is found behind its alias.
	f = served(txt("lab.example.", "v=spf1 mx -all"), state.Record{Name: "_dmarc.lab.example.", Type: "CNAME", Value: "lab.vendor.example."})
	f.Live = live
	if got, _ := propose.FromRecords(spec.Answers{}, f, "lab.example"); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
}

// What the answers were taken from is right then: nothing is published beside it,
// changed or asked.
func TestRecordsThatAnswersCameFromStay(t *testing.T) {
	now := november
	for _, r := range []state.Record{
		txt("lab.example.", "v=spf1 ip4:192.0.2.10 ?all"),
		txt("lab.example.", "v=spf1 ip4:192.0.2.10"),
		txt("lab.example.", "v=spf1 ip4:192.0.2.10 redirect=_spf.lab.example"),
		txt("lab.example.", "v=spf1 ip4:192.0.2.10 include:a.example -all"),
		txt("_dmarc.lab.example.", "v=DMARC1; p=reject"),
		txt("_dmarc.lab.example.", "v=DMARC1; rua=https://r.example/; p=quarantine; sp=none; aspf=s; pct=10"),
		txt("_dmarc.lab.example.", "v=DMARC1;"),
	} {
		f := served(r)
		f.Zones[0].Content = []byte("$TTL 300\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 60\n")
		a, _ := propose.FromRecords(spec.Answers{
			Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, RootAlias: "ops@lab.example", DNS: "bind", Receive: "no",
		}, f, "lab.example")
		want, findings := a.Spec(nil, now)
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		in := step.Input{
			Spec: want, Facts: f, Now: now,
			Ledger: keyring.Ledger{"lab.example": {{Selector: "202611", Public: "MIIB", Stage: keyring.Active, File: "/k"}}},
		}
		st, notes, err := dns.Publish(in)
		if err != nil {
			t.Fatal(err)
		}
		edit := st.Edits[0].(state.ZoneEdit)
		if len(edit.Replace)+len(st.Questions)+len(notes) > 0 {
			t.Errorf("%s: changes %v, questions %v, notes %v", r.Value, edit.Replace, st.Questions, notes)
		}
		repeats := func(p state.Record) bool { return p.Name == r.Name && p.Type == "TXT" }
		repeated := func(p state.Probe) bool { return slices.ContainsFunc(p.Records, repeats) }
		if len(st.Units[0].Probes) == 0 || slices.ContainsFunc(st.Units[0].Probes, repeated) {
			t.Errorf("the fragment repeats %s", r.Value)
		}
	}
}
