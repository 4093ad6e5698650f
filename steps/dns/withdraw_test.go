package dns_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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

// without takes the second domain out.
func without(in step.Input, purge bool) step.Input {
	in.Removed = []spec.Domain{in.Spec.Domains[1]}
	in.Spec = in.Spec.Without("shop.example")
	in.Scope = step.Only("shop.example")
	if purge {
		in.Keys.Withdraw = map[string][]string{"shop.example": {"202611"}}
	}
	return in
}

func paths(list []state.Path) []string {
	var all []string
	for _, p := range list {
		all = append(all, string(p))
	}
	return all
}

func TestRemoving(t *testing.T) {
	in := without(steptest.Served(t), false)
	want := steptest.Build(t, in)
	text := fragmentOf(t, in, "shop.example")
	if !strings.Contains(text, "202611._domainkey.shop.example.") || strings.Contains(text, "v=spf1") || strings.Contains(text, "DMARC") {
		t.Errorf("the fragment is\n%s", text)
	}
	zone := steptest.Stage(t, want, "DNS")
	if len(zone.Files) != 1 || len(zone.Units) != 1 {
		t.Errorf("more than one zone: %v", zone.Files)
	}
	probe := zone.Units[0].Probes[0]
	if got := steptest.Lines(probe.Gone); len(probe.Records) > 0 || !slices.Equal(got, []string{
		"_dmarc.shop.example. TXT v=DMARC1; p=none; rua=mailto:dmarc@shop.example", "shop.example. TXT v=spf1 ip4:192.0.2.10 -all",
	}) {
		t.Errorf("want gone %q, there %q", got, steptest.Lines(probe.Records))
	}
	if got := paths(steptest.Stage(t, want, "Settings").Discard); !slices.Equal(got, []string{"/etc/mailsetup/domains.d/shop.example.toml"}) {
		t.Errorf("discards %q", got)
	}
	for _, f := range steptest.Stage(t, want, "OpenDKIM").Files[1:3] {
		if strings.Contains(string(f.Content), "shop.example") || !strings.Contains(string(f.Content), "lab.example") {
			t.Errorf("%s", f.Content)
		}
	}
	ledger := steptest.Stage(t, want, "Ledger")
	if len(ledger.Files) != 1 || !strings.Contains(string(ledger.Files[0].Text()), `"stage": "draining"`) || len(ledger.Discard) != 0 {
		t.Errorf("ledger %s, discards %q", ledger.Files[0].Text(), ledger.Discard)
	}
	if st := steptest.Stage(t, want, "OldKeys"); len(st.Files)+len(st.Edits)+len(st.Units) > 0 {
		t.Errorf("withdraws %+v", st)
	}
	told := ""
	for _, n := range want.Notes {
		told += n.Topic + ": " + n.Text + "\n"
	}
	if want := "dkim: the key record of shop.example stays in DNS until " + in.Now.Add(48*time.Hour).Format("2006-01-02 15:04"); !strings.HasPrefix(told, want) || strings.Count(told, "\n") != 1 {
		t.Errorf("told %q, want %q", told, want)
	}
}

// A run about the whole host takes the same out, with the file or without it: then nobody
// knows what the domain was, and only its records in zones of mailsetup tell.
func TestRemovingFromTheWholeHost(t *testing.T) {
	for name, change := range map[string]func(*step.Input){
		"its file is replaced": func(in *step.Input) { in.Removed = []spec.Domain{in.Spec.Domains[1]} },
		"its file is gone":     func(in *step.Input) { in.Consents = map[string]bool{"domain shop.example": true} },
	} {
		in := steptest.Served(t)
		change(&in)
		in.Spec = in.Spec.Without("shop.example")
		if text := fragmentOf(t, in, "shop.example"); !strings.Contains(text, "202611._domainkey.shop.example.") || strings.Contains(text, "v=spf1") || strings.Contains(text, "DMARC") {
			t.Errorf("%s: the fragment is\n%s", name, text)
		}
		want := steptest.Build(t, in)
		if got := paths(steptest.Stage(t, want, "Settings").Discard); !slices.Equal(got, []string{"/etc/mailsetup/domains.d/shop.example.toml"}) {
			t.Errorf("%s: discards %q", name, got)
		}
		told := ""
		for _, n := range want.Notes {
			told += n.Text + "\n"
		}
		if !strings.Contains(told, "the key record of shop.example stays in DNS until ") || strings.Contains(told, "records of shop.example and") {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// Its SPF record stands for that of another one.
func TestRemovingWhatOthersRedirectTo(t *testing.T) {
	in := steptest.Served(t)
	in.Spec.Domains[0].SPF.Redirect = "shop.example"
	in.Consents = map[string]bool{"domain shop.example": true}
	in.Spec = in.Spec.Without("shop.example")
	_, err := steps.Build(steps.All(), in)
	if err == nil || !strings.Contains(err.Error(), "shop.example goes, and the SPF record of lab.example is that of it") {
		t.Errorf("error %v", err)
	}
}

// The consent to reports about it, which is in another zone, goes as well.
func TestRemovingTakesConsentsBack(t *testing.T) {
	in := steptest.Served(t)
	in.Spec.Domains[1].DMARC.RUA = []string{"mailto:ops@lab.example"}
	consent := steptest.Rec("shop.example._report._dmarc.lab.example.", "TXT", "v=DMARC1")
	consent.TTL = in.Spec.Domains[1].TTL
	in.Facts.Zones[0].OurRecords = append(in.Facts.Zones[0].OurRecords, consent)
	before := fragmentOf(t, in, "lab.example")
	in = without(in, false)
	after := fragmentOf(t, in, "lab.example")
	line := `shop.example._report._dmarc.lab.example. 600 IN TXT "v=DMARC1"`
	if !strings.Contains(before, line) || strings.Contains(after, line) || strings.Count(after, " IN ") != strings.Count(before, " IN ")-1 {
		t.Errorf("it was\n%s\nis\n%s", before, after)
	}
	if gone := steptest.Stage(t, steptest.Build(t, in), "DNS").Units[0].Probes[0].Gone; !slices.Contains(gone, consent) {
		t.Errorf("gone %q", steptest.Lines(gone))
	}
}

func TestPurging(t *testing.T) {
	want := steptest.Build(t, without(steptest.Served(t), true))
	st := steptest.Stage(t, want, "OldKeys")
	if got := paths(st.Remove); !slices.Equal(got, []string{"/etc/bind/mailsetup/shop.example.zone"}) || len(st.Files) > 0 {
		t.Errorf("removes %q, writes %v", got, st.Files)
	}
	if e, ok := st.Edits[0].(state.ZoneEdit); !ok || !e.Drop || e.Path != "/etc/bind/db.shop" || len(st.Edits) != 1 {
		t.Errorf("edits %+v", st.Edits)
	}
	if gone := steptest.Lines(st.Units[0].Probes[0].Gone); !slices.Contains(gone, "202611._domainkey.shop.example. TXT v=DKIM1; h=sha256; k=rsa; p=MIIC") {
		t.Errorf("gone %q", gone)
	}
	ledger := steptest.Stage(t, want, "Ledger")
	if got := paths(ledger.Discard); !slices.Equal(got, []string{
		"/var/lib/mailsetup/dns-checks/shop.example.json", "/etc/dkimkeys/shop.example/202611.private", "/etc/exim4/dkim/shop.example/202611.private",
		"/etc/dkimkeys/shop.example", "/etc/exim4/dkim/shop.example",
	}) {
		t.Errorf("discards %q", got)
	}
	if text := string(ledger.Files[0].Text()); !strings.Contains(text, `"stage": "gone"`) {
		t.Errorf("ledger %s", text)
	}
}

// A key file goes only if it is ours, where we put it, and nobody's any more.
func TestKeyFilesThatStay(t *testing.T) {
	for name, spoil := range map[string]func(in *step.Input){
		"adopted": func(in *step.Input) { in.Ledger["shop.example"][0].Adopted = true },
		"shared":  func(in *step.Input) { in.Ledger["lab.example"][0].File = in.Ledger["shop.example"][0].File },
		"elsewhere": func(in *step.Input) {
			in.Ledger["shop.example"][0].File = "/etc/passwd"
		},
		"another selector": func(in *step.Input) { in.Keys.Withdraw["shop.example"] = []string{"other"} },
	} {
		in := without(steptest.Served(t), true)
		spoil(&in)
		for _, p := range steptest.Stage(t, steptest.Build(t, in), "Ledger").Discard {
			if strings.HasSuffix(string(p), ".private") || p == "/etc/passwd" {
				t.Errorf("%s: discards %s", name, p)
			}
		}
	}
}

// A later run about other domains, or about all, keeps what a removed domain
// still has in a zone that it shares.
func TestDrainingKeysStayInSharedZones(t *testing.T) {
	in := steptest.Bare()
	key := steptest.Rec("s._domainkey.dept.lab.example.", "TXT", "v=DKIM1; h=sha256; k=rsa; p=AA")
	in.Facts.Zones[0].OurRecords = []state.Record{key, steptest.Rec("dept.lab.example.", "TXT", "v=spf1 -all")}
	in.Ledger["dept.lab.example"] = []keyring.Key{{Selector: "s", Public: "AA", Stage: keyring.Draining}}
	for _, scope := range []step.Scope{{}, step.Only("lab.example")} {
		in.Scope, in.Facts.Installed = scope, map[string]bool{"bind9": true}
		text := fragmentOf(t, in, "lab.example")
		if !strings.Contains(text, "s._domainkey.dept.lab.example. 3600 IN TXT") {
			t.Errorf("about %v: the key is not in\n%s", scope.Selection(), text)
		}
		if strings.Contains(text, "dept.lab.example. 3600 IN TXT \"v=spf1 -all\"") == scope.WholeHost() {
			t.Errorf("about %v:\n%s", scope.Selection(), text)
		}
	}
	in.Ledger["dept.lab.example"][0].Stage = keyring.Gone
	if text := fragmentOf(t, in, "lab.example"); strings.Contains(text, "s._domainkey") {
		t.Errorf("a key that is gone is in\n%s", text)
	}
}

const statement = `// mailsetup: zone shop.example
zone "shop.example" {
	type primary;
	file "/etc/bind/mailsetup/db.shop.example";
};
// mailsetup: end of zone shop.example
`

// A zone that was made on request goes with its domain, unless somebody uses
// it.
func TestZonesThatWereMade(t *testing.T) {
	made := func() step.Input {
		in := without(steptest.Served(t), true)
		in.Facts.Zones[1].File = "/etc/bind/mailsetup/db.shop.example"
		in.Facts.Zones[1].Records = []state.Record{steptest.Rec("shop.example.", "SOA", "…"), steptest.Rec("shop.example.", "NS", "mail.lab.example.")}
		in.Facts.Files = map[state.Path][]byte{dns.NamedConf: []byte(statement)}
		return in
	}
	st := steptest.Stage(t, steptest.Build(t, made()), "OldKeys")
	if e, ok := st.Edits[0].(state.NamedEdit); !ok || !e.Drop || e.Zones[0].Origin != "shop.example" || len(st.Edits) != 1 || len(st.Units) != 1 {
		t.Errorf("edits %+v", st.Edits)
	}
	if diff := cmp.Diff([]string{"/etc/bind/mailsetup/db.shop.example"}, paths(st.Discard)); diff != "" {
		t.Error(diff)
	}
	for name, use := range map[string]func(in *step.Input){
		"a website": func(in *step.Input) {
			in.Facts.Zones[1].Records = append(in.Facts.Zones[1].Records, steptest.Rec("www.shop.example.", "A", "192.0.2.1"))
		},
		"a statement that somebody changed": func(in *step.Input) {
			in.Facts.Files[dns.NamedConf] = []byte(strings.Replace(statement, "primary;", "primary; allow-transfer { 192.0.2.53; };", 1))
		},
		"another file":   func(in *step.Input) { in.Facts.Zones[1].File = "/etc/bind/db.shop.example" },
		"still draining": func(in *step.Input) { in.Keys.Withdraw = map[string][]string{"shop.example": {"x"}} },
	} {
		in := made()
		use(&in)
		for _, e := range steptest.Stage(t, steptest.Build(t, in), "OldKeys").Edits {
			if _, ok := e.(state.NamedEdit); ok {
				t.Errorf("%s: the zone goes", name)
			}
		}
	}
}

// One run takes the policies out first, and the key by a second update.
func TestPurgingAnUpdatedZone(t *testing.T) {
	key, spf, other := steptest.Rec("s._domainkey.b.lab.example.", "TXT", "v=DKIM1; h=sha256; k=rsa; p=AA"), steptest.Rec("b.lab.example.", "TXT", "v=spf1 -all"), steptest.Rec("_dmarc.lab.example.", "TXT", "v=DMARC1; p=none")
	in := updating(nil, []state.Record{key, spf, other})
	in.Scope, in.Keys.Withdraw = step.Only("b.lab.example"), map[string][]string{"b.lab.example": {"s"}}
	in.Ledger["b.lab.example"] = []keyring.Key{{Selector: "s", Public: "AA", Stage: keyring.Active}}
	want := steptest.Build(t, in)
	first, second := steptest.Stage(t, want, "DNS").Updates, steptest.Stage(t, want, "OldKeys").Updates
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("updates %v, then %v", first, second)
	}
	if diff := cmp.Diff([]state.Record{spf}, first[0].Remove); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]state.Record{key}, second[0].Remove); diff != "" || len(second[0].Add) > 0 {
		t.Errorf("%s\nadds %v", diff, second[0].Add)
	}
	if diff := cmp.Diff([]state.Record{key}, second[0].Expected); diff != "" {
		t.Error(diff)
	}
}

func TestKeysThatOthersPublishAreListed(t *testing.T) {
	in := without(steptest.Served(t), true)
	said := func() string {
		for _, n := range steptest.Build(t, in).Notes {
			if strings.HasPrefix(n.Text, "take this record out of the DNS of shop.example") {
				return n.Action
			}
		}
		return ""
	}
	if got := said(); got != "" {
		t.Errorf("its record is in a zone here, but %q", got)
	}
	in.Facts.Zones[1].OurRecords = nil
	if got := said(); got != "202611._domainkey.shop.example. TXT" {
		t.Errorf("said %q", got)
	}
}

// succeeded is a domain that signs with a second key, whose first one is to go,
// and whose file was edited since the last run that publishes.
func succeeded(in step.Input, domain string) step.Input {
	old := in.Ledger[domain][0]
	old.Selector, old.Stage, old.Public, old.File = "old", keyring.Draining, "MIIA", "/etc/dkimkeys/"+domain+"/old.private"
	in.Ledger[domain] = append([]keyring.Key{old}, in.Ledger[domain]...)
	in.Scope = step.Only(domain)
	in.Keys.Withdraw = map[string][]string{domain: {"old"}}
	for i, d := range in.Spec.Domains {
		if d.Name == domain {
			in.Spec.Domains[i].DMARC.Policy = "reject"
		}
	}
	return in
}

// A run that only takes keys away publishes nothing that nobody was shown, and
// judges no record: one that is wrong would keep every key in DNS.
func TestATickTakesTheRecordOfTheKeyAlone(t *testing.T) {
	in := steptest.Served(t)
	z := &in.Facts.Zones[1]
	was := slices.Clone(z.OurRecords)
	old := state.Record{Name: "old._domainkey.shop.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIA"}
	z.OurRecords = append(z.OurRecords, old)
	z.Records = []state.Record{
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 mx -all"},
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 a -all"},
	}
	want, err := steps.Build(steps.Withdrawal(), succeeded(in, "shop.example"))
	if err != nil {
		t.Fatal(err)
	}
	st := steptest.Stage(t, want, "OldKeys")
	if len(st.Files) != 1 || string(st.Files[0].Content) != string(zonefile.Fragment("shop.example", was)) {
		t.Errorf("files %+v", st.Files)
	}
	if gone := st.Units[0].Probes[0].Gone; !slices.Equal(gone, []state.Record{old}) {
		t.Errorf("insists that these are gone: %v", gone)
	}
	if !slices.Contains(steptest.Stage(t, want, "Ledger").Discard, state.Path("/etc/dkimkeys/shop.example/old.private")) {
		t.Errorf("the private key stays: %v", steptest.Stage(t, want, "Ledger").Discard)
	}
}

func TestATickUpdatesTheKeyAlone(t *testing.T) {
	in := updating(nil, nil)
	was := records.Of(in, in.Spec.Domains[0])
	old := state.Record{Name: "old._domainkey.lab.example.", Type: "TXT", TTL: 3600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIA"}
	in.Facts.Updated[0].Update.OurRecords = append(slices.Clone(was), old)
	want, err := steps.Build(steps.Withdrawal(), succeeded(in, "lab.example"))
	if err != nil {
		t.Fatal(err)
	}
	st := steptest.Stage(t, want, "OldKeys")
	if len(st.Updates) != 1 || len(st.Updates[0].Add) != 0 || !slices.Equal(st.Updates[0].Remove, []state.Record{old}) {
		t.Errorf("updates %+v", st.Updates)
	}
	if text := string(st.Files[0].Content); strings.Contains(text, "reject") || !strings.Contains(text, "p=none") {
		t.Errorf("remembers what is not served:\n%s", text)
	}
}
