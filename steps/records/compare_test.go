package records_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
	"mailsetup/zonefile"
)

func TestSPFThatIsRightIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name, record string
		fact         *state.SPF
		spec         spec.SPF
	}{
		{"by address", "v=spf1 ip4:192.0.2.0/24 ~all", nil, spec.SPF{All: "softfail"}},
		{"by name", "v=spf1 a:mail.lab.example include:_spf.vendor.example -all", &state.SPF{Lookups: 4}, spec.SPF{All: "fail", Include: []string{"_spf.vendor.example"}}},
		{"more than was asked for", "v=spf1 ip4:192.0.2.10 include:_spf.Vendor.example. include:_spf.other.example exp=x.lab.example ?all", &state.SPF{Lookups: 2}, spec.SPF{All: "neutral", Include: []string{"_spf.vendor.example"}}},
		{"by another record", "v=spf1 redirect=_spf.lab.example", &state.SPF{Lookups: 1}, spec.SPF{All: "fail"}},
		{"without all", "v=spf1 ip4:192.0.2.10", nil, spec.SPF{All: "neutral"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Having(t, `@ IN TXT "`+c.record+"\"\n", nil)
			in.Spec.Domains[0].Receive = false
			if c.fact != nil {
				c.fact.Record = c.record
				in.Facts.SPF = map[string]state.SPF{"lab.example": *c.fact}
			}
			in.Spec.Domains[0].SPF = c.spec
			steptest.SaysNothingOf(t, in, "lab.example.")
		})
	}
}

func TestSPFIsMerged(t *testing.T) {
	const vendor = "_spf.vendor.example"
	for _, c := range []struct {
		name, record string
		lookups      int
		denied       bool
		spec         spec.SPF
		want         string // the question's text
		after        string // the record
		declined     string
	}{
		{
			"lacks the address", "v=spf1 include:_spf.old.example -all", 3, true,
			spec.SPF{All: "fail"},
			"the SPF record of lab.example does not let 192.0.2.10 of this server pass; it takes 3 of the 10 DNS look-ups that receivers make, before and after",
			"v=spf1 ip4:192.0.2.10 include:_spf.old.example -all", "mail from 192.0.2.10 fails SPF as lab.example",
		},
		{
			"lacks an include", "v=spf1 mx ~all", 1, false,
			spec.SPF{All: "softfail", Include: []string{vendor}},
			"the SPF record of lab.example lacks include:_spf.vendor.example, which you asked for; it takes 1 of the 10 DNS look-ups that receivers make, and 4 then",
			"v=spf1 mx include:_spf.vendor.example ~all", "mail of lab.example by _spf.vendor.example may fail SPF",
		},
		{
			"ends otherwise", "v=spf1 mx -all", 1, false,
			spec.SPF{All: "softfail"},
			"the SPF record of lab.example says -all of everybody else, and you asked for ~all; it takes 1 of the 10 DNS look-ups that receivers make, before and after",
			"v=spf1 mx ~all", "everybody else gets -all as lab.example",
		},
		{
			"all at once", "v=spf1 mx redirect=_spf.old.example", 2, true,
			spec.SPF{All: "fail", Include: []string{vendor}},
			"the SPF record of lab.example does not let 192.0.2.10 of this server pass; it also lacks include:_spf.vendor.example, which you asked for; " +
				"it takes 2 of the 10 DNS look-ups that receivers make, and 5 then",
			"v=spf1 ip4:192.0.2.10 mx include:_spf.vendor.example redirect=_spf.old.example",
			"mail from 192.0.2.10 fails SPF as lab.example; mail of lab.example by _spf.vendor.example may fail SPF",
		},
		{
			"ends in +all", "v=spf1 +all", 0, false,
			spec.SPF{All: "softfail"},
			"the SPF record of lab.example says +all, which lets ANYONE send as lab.example, and you asked for ~all; it takes 0 of the 10 DNS look-ups that receivers make, before and after",
			"v=spf1 ~all", "everybody else gets +all as lab.example",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Having(t, "; mail\n@\tIN\tTXT\t\""+c.record+"\" ; since 2019\n", steptest.Denied("lab.example", c.record, c.lookups))
			if !c.denied {
				in.Facts.SPF = map[string]state.SPF{"lab.example": {Record: c.record, Lookups: c.lookups}}
			}
			in.Facts.SPF[vendor] = state.SPF{Record: "v=spf1 a mx -all", Lookups: 2}
			in.Spec.Domains[0].SPF = c.spec
			edit, st, _ := steptest.ZoneStage(t, in)
			want := []state.Question{{
				ID: "record lab.example spf", Kind: state.AskRecord, Subject: "spf", Domain: "lab.example",
				Text: c.want, Path: "/etc/bind/db.lab.example", Line: 6, Declined: c.declined,
				Before: "@\tIN\tTXT\t\"" + c.record + "\" ; since 2019",
				After:  "@\tIN\tTXT\t\"" + c.after + "\" ; since 2019",
			}}
			if d := cmp.Diff(want, st.Questions); d != "" {
				t.Error(d)
			}
			old := state.Record{Name: "lab.example.", Type: "TXT", TTL: 300, Value: c.record}
			merged := state.Record{Name: "lab.example.", Type: "TXT", TTL: 300, Value: c.after}
			if d := cmp.Diff([]state.Replacement{{Old: old, New: merged}}, edit.Replace); d != "" {
				t.Error(d)
			}
			probe := st.Units[0].Probes[0]
			if !slices.Contains(probe.Records, merged) || !slices.Contains(probe.Gone, old) {
				t.Errorf("served must be %v, gone %v", probe.Records, probe.Gone)
			}
			in.Consents = map[string]bool{"record lab.example spf": true}
			if _, st, _ := steptest.ZoneStage(t, in); len(st.Questions) > 0 {
				t.Errorf("asks again: %v", st.Questions)
			}
		})
	}
}

func TestHELOIsMergedToo(t *testing.T) {
	const record = "v=spf1 ip4:198.51.100.1 -all"
	in := steptest.Having(t, "mail IN TXT \""+record+"\"\n@ IN TXT \"v=spf1 ip4:192.0.2.10 ~all\"\n", nil)
	in.Spec.Domains[0].SPF.Include = nil
	_, st, _ := steptest.ZoneStage(t, in)
	if len(st.Questions) != 1 {
		t.Fatalf("questions %v, want one", st.Questions)
	}
	q := st.Questions[0]
	if q.ID != "record mail.lab.example spf" || q.Subject != "helo" || q.Domain != "lab.example" ||
		q.After != `mail IN TXT "v=spf1 ip4:192.0.2.10 ip4:198.51.100.1 -all"` {
		t.Errorf("%+v", q)
	}
}

func TestDMARCTagByTag(t *testing.T) {
	strict := spec.DMARC{Policy: "reject", SubdomainPolicy: "reject", ADKIM: "strict", ASPF: "relaxed", RUA: []string{"mailto:ops@lab.example"}}
	for _, c := range []struct {
		name, record string
		spec         spec.DMARC
		want, after  string // "" for a record that is right
	}{
		{"the same", "v=DMARC1; p=none; rua=mailto:ops@lab.example", spec.DMARC{Policy: "none", RUA: []string{"mailto:ops@lab.example"}}, "", ""},
		{"tags of their own", "v=DMARC1;p=Reject;adkim=s;fo=1;np=reject;t=y;pct=50;rua=mailto:Ops@lab.example!10m,https://r.example/;ruf=mailto:x@y.example", strict, "", ""},
		{"stricter", "v=DMARC1; p=reject; fo=1", spec.DMARC{Policy: "quarantine"}, "says p=reject, stricter than the p=quarantine you asked for", "v=DMARC1; p=quarantine; fo=1"},
		{"looser", "v=DMARC1; p=none", spec.DMARC{Policy: "reject"}, "says p=none, looser than the p=reject you asked for", "v=DMARC1; p=reject"},
		{"unknown", "v=DMARC1; p=monitor", spec.DMARC{Policy: "none"}, "says p=monitor, which no receiver knows, instead of the p=none you asked for", "v=DMARC1; p=none"},
		{"subdomains", "v=DMARC1; p=reject", spec.DMARC{Policy: "none", SubdomainPolicy: "reject"}, "says p=reject, stricter than the p=none you asked for; it also has p=none for subdomains, and you asked for sp=reject", "v=DMARC1; p=none; sp=reject"},
		{"alignment", "v=DMARC1; p=none; aspf=s", spec.DMARC{Policy: "none", ADKIM: "strict", ASPF: "relaxed"}, "has adkim=r, and you asked for strict; it also has aspf=s, and you asked for relaxed", "v=DMARC1; p=none; aspf=r; adkim=s"},
		{"reports", "v=DMARC1; p=none; rua=mailto:a@lab.example!10m, https://r.example/; fo=1", spec.DMARC{Policy: "none", RUA: []string{"mailto:b@lab.example", "mailto:a@lab.example"}}, "does not name mailto:b@lab.example in rua=", "v=DMARC1; p=none; rua=mailto:b@lab.example,mailto:a@lab.example!10m,https://r.example/; fo=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Having(t, "_dmarc IN TXT ( \""+c.record[:9]+"\"\n  \""+c.record[9:]+"\" )\n", nil)
			in.Spec.Domains[0].DMARC = c.spec
			if c.after == "" {
				steptest.SaysNothingOf(t, in, "_dmarc.lab.example.")
				return
			}
			edit, st, _ := steptest.ZoneStage(t, in)
			if len(st.Questions) != 1 || len(edit.Replace) != 1 {
				t.Fatalf("questions %v, changes %v", st.Questions, edit.Replace)
			}
			q := st.Questions[0]
			if want := "the DMARC record of lab.example " + c.want; q.Text != want {
				t.Errorf("says  %s\nwant %s", q.Text, want)
			}
			if q.ID != "record _dmarc.lab.example dmarc" || q.Subject != "dmarc" || q.Declined != "receivers go on by "+c.record {
				t.Errorf("%+v", q)
			}
			if got := edit.Replace[0].New.Value; got != c.after {
				t.Errorf("becomes %s\nwant    %s", got, c.after)
			}
		})
	}
}

func TestRecordsThatAreExplained(t *testing.T) {
	const passes = `@ IN TXT "v=spf1 ip4:192.0.2.10 `
	two := `@ IN TXT "v=spf1 mx -all"` + "\n" + `@ IN TXT "v=spf1 include:_spf.vendor.example ~all"` + "\n"
	for _, c := range []struct {
		name, lines string
		change      func(in *step.Input)
		refused     string // what the run ends with
		hint        string
		keep        string // the kind that lets it go on
		note        string
	}{
		{name: "everybody passes", lines: passes + `+all"`, change: all("neutral"), note: "ANYONE MAY SEND AS lab.example"},
		{name: "ptr", lines: passes + `ptr ~all"`, change: all("softfail"), note: "uses ptr"},
		{name: "a fault that does not matter", lines: passes + `include:gone.example ~all"`, change: fact("v=spf1 ip4:192.0.2.10 include:gone.example ~all", state.SPF{Problem: "gone.example has no SPF record"}), note: "gone.example has no SPF record"},
		{name: "no answer", lines: `@ IN TXT "v=spf1 include:slow.example ~all"`, change: fact("v=spf1 include:slow.example ~all", state.SPF{Unresolved: "slow.example"}), note: "for want of an answer about slow.example"},
		{
			name: "two records", lines: two, refused: "lab.example has 2 SPF records where one is allowed, and receivers take that for a permanent error (RFC 7208 section 4.5): v=spf1 mx -all and v=spf1 include:_spf.vendor.example ~all",
			hint: "leave one that says it all, such as: v=spf1 include:_spf.vendor.example mx ~all", keep: "spf",
		},
		{name: "a mistake", lines: `@ IN TXT "v=spf1 ipv4:192.0.2.10 -all"`, refused: `the SPF record of lab.example has a mistake, and receivers take it for a permanent error: "ipv4:192.0.2.10": SPF has no such mechanism`, hint: "correct it first: v=spf1 ipv4:192.0.2.10 -all", keep: "spf"},
		{
			name: "a fault in the way", lines: `@ IN TXT "v=spf1 include:gone.example -all"`,
			change:  fact("v=spf1 include:gone.example -all", state.SPF{Problem: "gone.example has no SPF record", Denied: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}),
			refused: "it cannot be merged as it is: gone.example has no SPF record", hint: "correct it first", keep: "spf",
		},
		{
			name: "an include too many", lines: `@ IN TXT "v=spf1 include:big.example ~all"`,
			change: func(in *step.Input) {
				fact("v=spf1 include:big.example ~all", state.SPF{Lookups: 9})(in)
				in.Spec.Domains[0].SPF.Include, in.Facts.SPF["v.example"] = []string{"v.example"}, state.SPF{Lookups: 1}
			},
			refused: "merged it would take 11 DNS look-ups, and receivers stop after 10", hint: "write the networks behind an include", keep: "spf",
		},
		{name: "two policies", lines: "_dmarc IN TXT \"v=DMARC1; p=reject\"\n_dmarc IN TXT \"v=DMARC1; p=none\"", refused: "_dmarc.lab.example has 2 DMARC records where one is allowed, and receivers apply none of them", hint: "leave one that says it all, such as: v=DMARC1; p=none", keep: "dmarc"},
		{name: "a policy with a mistake", lines: `_dmarc IN TXT "v=DMARC1; p none"`, refused: `the DMARC record of lab.example has a mistake, and receivers ignore it: "p none" is no tag`, hint: "correct it first", keep: "dmarc"},
		{name: "a policy made elsewhere", lines: `_dmarc IN CNAME lab.example.dmarc.vendor.example.`, change: func(in *step.Input) {
			in.Facts.Live = map[string]state.LiveDNS{"_dmarc.lab.example": {Asked: true, TXT: []string{"v=DMARC1; p=reject"}}}
		}, note: "_dmarc.lab.example is an alias of lab.example.dmarc.vendor.example: the DMARC policy of lab.example is made there, and stays; it says v=DMARC1; p=reject, not p=none"},
		{name: "a policy of nobody", lines: `_dmarc IN CNAME gone.vendor.example.`, change: func(in *step.Input) {
			in.Facts.Live = map[string]state.LiveDNS{"_dmarc.lab.example": {Asked: true}}
		}, note: "there is no DMARC record there"},
		{name: "another key", lines: `202611._domainkey IN TXT "v=DKIM1; p=MIIC"`, refused: "202611._domainkey.lab.example holds another key than that of this server"},
		{name: "the same key", lines: `202611._domainkey IN TXT "v=DKIM1; k=rsa; p=MIIB"`},
		{name: "somebody else's selector", lines: `202611._domainkey IN CNAME 202611.vendor.example.`, refused: "202611._domainkey.lab.example is a CNAME of 202611.vendor.example: the key of this server cannot stand there"},
		{
			name: "keys that others have", lines: `_domainkey IN NS ns.vendor.example.`,
			refused: "the key of this server belongs to 202611._domainkey.lab.example, and zone lab.example. gives _domainkey.lab.example away: NS ns.vendor.example.",
			hint:    "the key goes to whoever runs ns.vendor.example; or take that NS out of /etc/bind/db.lab.example",
		},
		{
			name: "keys that are elsewhere", lines: `_domainkey IN DNAME keys.vendor.example.`,
			refused: "zone lab.example. gives _domainkey.lab.example away: DNAME keys.vendor.example.", hint: "whoever runs keys.vendor.example",
		},
		{name: "a policy that others have", lines: `_dmarc IN NS ns.vendor.example.`, note: "no zone here holds _dmarc.lab.example: see that its DNS has"},
		{name: "other exchangers", lines: `@ IN MX 10 mx.vendor.example.`, note: "lab.example MX is yours and stays as it is: 10 mx.vendor.example."},
		{name: "us as another's second", lines: "@ IN MX 10 mx.vendor.example.\n@ IN MX 20 MAIL", note: ""},
		{
			name: "large texts", lines: passes + `~all"` + "\n" + `@ IN TXT "` + strings.Repeat("x", 250) + `" "` + strings.Repeat("x", 250) + `" "` + strings.Repeat("x", 250) + `" "` + strings.Repeat("x", 250) + `" "` + strings.Repeat("x", 150) + `"`,
			change: all("fail"), note: "the TXT records of lab.example make an answer of 1246 octets",
		},
		{
			name: "a line that is not in the file", lines: "$GENERATE 1-1 @ TXT \"v=spf1 -all\"", refused: "it cannot be changed from here: /etc/bind/db.lab.example: ", hint: "what it should say: v=spf1 ip4:192.0.2.10 ~all", keep: "spf",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Having(t, c.lines+"\n", nil)
			if c.change != nil {
				c.change(&in)
			}
			_, notes, err := dns.Publish(in)
			if c.refused == "" {
				noted(t, notes, err, c.note)
				return
			}
			refused, ok := errors.AsType[*step.Refusal](err)
			if !ok || !strings.Contains(refused.What, c.refused) || !strings.Contains(refused.Hint, c.hint) {
				t.Fatalf("got  %v (%+v)\nwant %s (%s)", err, refused, c.refused, c.hint)
			}
			if c.keep == "" {
				return
			}
			if refused.Keep == nil || refused.Keep.Subject != c.keep {
				t.Fatalf("kept by %+v, want %s", refused.Keep, c.keep)
			}
			in.Spec.Domains[0].Keep = []string{c.keep}
			_, notes, err = dns.Publish(in)
			noted(t, notes, err, "as you decided")
		})
	}
}

func all(word string) func(*step.Input) {
	return func(in *step.Input) { in.Spec.Domains[0].SPF.All = word }
}

func fact(record string, f state.SPF) func(*step.Input) {
	return func(in *step.Input) {
		f.Record = record
		in.Facts.SPF = map[string]state.SPF{"lab.example": f}
	}
}

// noted insists on one note that says something, or on none.
func noted(t *testing.T, notes []state.Note, err error, text string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case text == "" && len(notes) > 0:
		t.Errorf("notes %v, want none", notes)
	case text != "" && (len(notes) != 1 || !strings.Contains(notes[0].Text, text)):
		t.Errorf("notes %v, want %q", notes, text)
	}
}

func TestAnEarlierNoIsRespected(t *testing.T) {
	in := steptest.Having(t, "@ IN TXT \"v=spf1 -all\"\nmail IN TXT \"v=spf1 -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"\n", nil)
	in.Spec.Domains[0].Keep = []string{"spf", "helo", "dmarc"}
	edit, st, notes := steptest.ZoneStage(t, in)
	if len(edit.Replace)+len(st.Questions) > 0 {
		t.Errorf("changes %v, questions %v", edit.Replace, st.Questions)
	}
	var got []string
	for _, n := range notes {
		got = append(got, n.Text)
	}
	want := []string{
		"the SPF record of lab.example stays, as you decided: it does not let 192.0.2.10 of this server pass; it also says -all of everybody else, and you asked for ~all",
		"the SPF record of mail.lab.example stays, as you decided: it does not let 192.0.2.10 of this server pass",
		"the DMARC record of lab.example stays, as you decided: it says p=reject, stricter than the p=none you asked for; it also does not name mailto:ops@lab.example in rua=",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestReportsThatTheRecordNamesAreReadBySomebody(t *testing.T) {
	for record, want := range map[string]int{"v=DMARC1; p=none; rua=https://r.example/x": 0, "v=DMARC1; p=none": 1} {
		in := steptest.Having(t, "_dmarc IN TXT \""+record+"\"\n", nil)
		in.Spec.Domains[0].DMARC.RUA = nil
		said := 0
		for _, n := range steps.Advice(in) {
			if strings.Contains(n.Text, "nobody reads the DMARC reports") {
				said++
			}
		}
		if said != want {
			t.Errorf("%s: %d notes, want %d", record, said, want)
		}
	}
}

// The zone of the host may need no record of ours, and still a change.
func TestAChangeAloneBringsNoFragment(t *testing.T) {
	in := steptest.Having(t, "mail IN TXT \"v=spf1 -all\"\n", nil)
	shop := in.Spec.Domains[0]
	shop.Name, shop.DMARC.RUA = "shop.example", nil // whose reports would need a consent here
	in.Spec.Domains, in.Spec.Host.Domain = []spec.Domain{shop}, "shop.example"
	in.Ledger = map[string][]keyring.Key{"shop.example": in.Ledger["lab.example"]}
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "shop.example.", Kind: "primary", File: "/etc/bind/db.shop"})
	edit, st, _ := steptest.ZoneStage(t, in)
	if edit.Path != "/etc/bind/db.lab.example" || edit.Include != "" || len(edit.Replace) != 1 {
		t.Errorf("%+v", edit)
	}
	if len(st.Files) != 1 || st.Files[0].Path != "/etc/bind/mailsetup/shop.example.zone" {
		t.Errorf("files %v", st.Files)
	}
	out, err := zonefile.Apply(edit, in.Facts.Zones[0].Content)
	if err != nil || !strings.Contains(string(out), `mail IN TXT "v=spf1 ip4:192.0.2.10 -all"`) || strings.Contains(string(out), "INCLUDE") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOurOwnRecordMayCostTooMuch(t *testing.T) {
	const why = "the SPF record of lab.example would take 12 DNS look-ups, and receivers stop after 10 (RFC 7208 section 4.6.4)"
	in := steptest.Having(t, "", map[string]state.SPF{"a.example": {Lookups: 9}, "b.example": {Problem: "b.example has no SPF record"}})
	in.Spec.Domains[0].SPF.Include = []string{"a.example", "b.example"}
	_, _, err := dns.Publish(in)
	refusal := (*step.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.What != why || refusal.Keep != nil || !strings.Contains(refusal.Hint, "/etc/mailsetup/domains.d/lab.example.toml") {
		t.Errorf("refuses with %+v", err)
	}
	in.Spec.Host.DNS = spec.DNSManual
	_, notes, err := dns.Publish(in)
	said := fmt.Sprint(notes)
	if err != nil || !strings.Contains(said, "b.example has no SPF record") || !strings.Contains(said, why) {
		t.Errorf("printed: %v\n%s", err, said)
	}
	// One that is served already, from when it cost less, stops no run.
	in.Spec.Host.DNS = spec.DNSBind
	in.Facts.Zones[0].OurRecords = records.Of(in, in.Spec.Domains[0])
	if _, notes, err := dns.Publish(in); err != nil || !strings.Contains(fmt.Sprint(notes), why) {
		t.Errorf("served: %v\n%v", err, notes)
	}
	// What was not found out costs nothing.
	in = steptest.Having(t, "", map[string]state.SPF{"a.example": {Lookups: 8}, "b.example": {Problem: "b.example has no SPF record"}})
	in.Spec.Domains[0].SPF.Include = []string{"a.example", "b.example"}
	in.Spec.Domains[0].Receive = false
	_, _, notes = steptest.ZoneStage(t, in)
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "b.example has no SPF record") {
		t.Errorf("%v", notes)
	}
	in = steptest.Having(t, "", map[string]state.SPF{"first.example": {Lookups: 10}})
	in.Spec.Domains[0].SPF.Redirect = "first.example"
	if _, _, err := dns.Publish(in); !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, "redirect") {
		t.Errorf("a redirect: %v", err)
	}
}

// What is said of an include that receivers cannot follow can be typed as it stands.
func TestAnIncludeThatReceiversCannotFollow(t *testing.T) {
	for command, include := range map[string][]string{
		"mailsetup init --spf-include good.example --spf-include fine.example": {"good.example", "gone.example", "fine.example"},
		"mailsetup init --spf-include none":                                    {"gone.example"},
	} {
		in := steptest.Having(t, "mail IN A 192.0.2.10\n", nil)
		in.Spec.Domains[0].SPF.Include = include
		in.Facts.SPF = map[string]state.SPF{"gone.example": {Problem: "gone.example has no SPF record"}}
		_, notes, err := dns.Publish(in)
		want := []state.Note{{
			Topic:  "spf",
			Text:   "receivers will take the SPF record of lab.example for a permanent error: gone.example has no SPF record. Name the right one in its place, or do without it",
			Action: command,
		}}
		if d := cmp.Diff(want, notes); err != nil || d != "" {
			t.Errorf("%v\n%s", err, d)
		}
	}
}
