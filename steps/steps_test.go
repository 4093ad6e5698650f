package steps_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func TestRecords(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Addresses = append(in.Spec.Host.Addresses, netip.MustParseAddr("2001:db8::10"))
	got := records.ForDomain(in.Spec.Host, in.Spec.Domains[0], in.Keys["lab.example"])
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

func TestTheOrderIsThatOfBecomingTrue(t *testing.T) {
	var names []string
	for _, s := range steptest.Build(t, steptest.Bare()).Stages {
		names = append(names, s.Name)
	}
	want := []string{"Packages", "Intent", "Keys", "Zone", "Guard", "OpenDKIM", "Daemons", "Reinjection", "Postfix", "OtherSigner", "Aliases", "Withdraw", "Ledger"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestPackagesOnlyWhatIsMissing(t *testing.T) {
	got := steptest.Stage(t, steptest.Build(t, steptest.Bare()), "Packages").Packages
	if len(got) != 2 || got[0].Name != "postfix" || got[1].Name != "opendkim" {
		t.Errorf("got %v, want postfix and opendkim", got)
	}
	if got := steptest.Stage(t, steptest.Build(t, steptest.Installed()), "Packages").Packages; len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}

// Tables of other rows are made anew, whatever was rendered before.
func TestTablesRenderedBefore(t *testing.T) {
	in := steptest.Installed()
	tables, err := signer.RenderTables(in)
	if err != nil {
		t.Fatal(err)
	}
	in.Tables = tables
	table := func(p state.Path) string {
		return string(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), p))
	}
	first := table(signer.SigningTable)
	if again := table(signer.SigningTable); again != first || !strings.Contains(first, "lab.example ") {
		t.Errorf("%s, then %s", first, again)
	}
	in.Spec.Domains[0].Also = []string{"ann@example.net"}
	if got := table(signer.SigningTable); !strings.Contains(got, "ann@example.net 202611._domainkey.lab.example") {
		t.Errorf("a row is missing: %s", got)
	}
	k := in.Keys["lab.example"][0]
	k.File = "/etc/dkimkeys/other.private"
	in.Keys = keyring.Ledger{"lab.example": {k}}
	if got := table(signer.KeyTable); !strings.Contains(got, "/etc/dkimkeys/other.private") {
		t.Errorf("the old file: %s", got)
	}
}

func TestTables(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Value["myorigin"] = "other.example"
	want := steptest.Build(t, in)
	st := steptest.Stage(t, want, "OpenDKIM")
	if d := cmp.Diff([]string{
		"202611._domainkey.lab.example lab.example:202611:/etc/dkimkeys/lab.example/202611.private",
	}, steptest.TableRows(steptest.Content(t, st, signer.KeyTable))); d != "" {
		t.Error(d)
	}
	rows := steptest.TableRows(steptest.Content(t, st, signer.SigningTable))
	slices.Sort(rows)
	if d := cmp.Diff([]string{
		"lab.example 202611._domainkey.lab.example",
		"mail.lab.example 202611._domainkey.lab.example",
		"other.example 202611._domainkey.lab.example",
	}, rows); d != "" {
		t.Error(d)
	}
	said := slices.ContainsFunc(want.Notes, func(n state.Note) bool {
		return n.Topic == "alignment" && strings.Contains(n.Text, "@other.example")
	})
	if !said {
		t.Error("nobody says that mail from @other.example cannot align")
	}
}

func TestTrustedHostsHoldWhatPostfixRelaysFor(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Addresses = []netip.Addr{netip.MustParseAddr("10.1.2.3")}
	in.Facts.Postfix.Networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	got := steptest.TableRows(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.TrustedHosts))
	for _, want := range []string{"127.0.0.1", "::1", "10.1.2.3", "10.1.0.0/16", "192.0.2.10"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
}

func TestMailWaitsWhileASignerThatMayBeBypassedRestarts(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Raw["smtpd_milters"] = "{ unix:opendkim/opendkim.sock, default_action=accept }"
	in.Spec.Host.MilterDefaultAction = "accept"
	in.Facts.Files = map[state.Path][]byte{signer.ConfFile: []byte("Socket local:/run/opendkim/opendkim.sock\n")}
	edit := steptest.Stage(t, steptest.Build(t, in), "Guard").Edits[0].(state.PostfixEdit)
	if got := edit.Set[0].Value; !strings.Contains(got, "default_action=tempfail") {
		t.Errorf("guard sets %q, want tempfail", got)
	}
	settled := steptest.Stage(t, steptest.Build(t, in), "Guard").Units[0].Settled
	if got := settled[len(settled)-1].Kind; got != state.ProbeSessions {
		t.Errorf("the last probe of the guard is %q, want the end of old sessions", got)
	}
	after := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
	if got := after.Set[0].Value; !strings.Contains(got, "default_action=accept") {
		t.Errorf("in the end %q, want accept again", got)
	}
	in.Facts.Postfix.Raw["smtpd_milters"] = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"
	if got := steptest.Stage(t, steptest.Build(t, in), "Guard").Edits; len(got) != 0 {
		t.Errorf("a guard where mail waits anyway: %v", got)
	}
}

func TestPostfixSettings(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Raw["smtpd_milters"] = "inet:localhost:11332"
	in.Facts.Postfix.Raw["non_smtpd_milters"] = "$smtpd_milters"
	in.Facts.Postfix.Raw["internal_mail_filter_classes"] = "notify"
	edit := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
	want := []state.Setting{
		{Name: "smtpd_milters", Value: "inet:localhost:11332, { unix:opendkim/opendkim.sock, default_action=tempfail }"},
		{Name: "internal_mail_filter_classes", Value: "notify, bounce"},
	}
	if d := cmp.Diff(want, edit.Set); d != "" {
		t.Error(d)
	}
}

func TestMyhostnameIsSetOnlyOnAPostfixOfThisRun(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Value["myhostname"] = "old.lab.example"
	has := func() bool {
		e := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
		return slices.ContainsFunc(e.Set, func(s state.Setting) bool { return s.Name == "myhostname" })
	}
	if has() {
		t.Error("the myhostname of a Postfix that was here before us would be changed")
	}
	in.Facts.Postfix.Fresh = true
	if !has() {
		t.Error("the myhostname of a Postfix of this run is not set")
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*step.Input)
		want   string
	}{
		{"a zone that is not here", func(in *step.Input) { in.Facts.Zones = nil }, "no zone here holds"},
		{
			"a zone that cannot be edited", func(in *step.Input) { in.Facts.Zones[0].Problem = "it takes dynamic updates" },
			"it takes dynamic updates",
		},
		{"a CNAME in the way", func(in *step.Input) {
			in.Facts.Zones[0].Records = []state.Record{{Name: "mail.lab.example.", Type: "CNAME", Value: "x.example."}}
		}, "mail.lab.example is a CNAME of x.example"},
		{"milters switched off in main.cf", func(in *step.Input) {
			in.Facts.Postfix.Value["receive_override_options"] = "no_header_body_checks, no_milters"
		}, "receive_override_options"},
		{"milters by client", func(in *step.Input) {
			in.Facts.Postfix.Value["smtpd_milter_maps"] = "cidr:/etc/postfix/milters"
		}, "smtpd_milter_maps"},
		{"a queue elsewhere", func(in *step.Input) { in.Facts.Postfix.QueueDirectory = "/srv/spool" }, "queue_directory = /srv/spool"},
		{"a name server of the new zone that has no address", func(in *step.Input) {
			in.Facts.Zones, in.Spec.Domains[0].NewZone = nil, true
			in.Spec.Domains[0].NS = []string{"mail.lab.example", "ns2.lab.example"}
		}, "ns2.lab.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := steptest.Installed()
			tt.change(&in)
			_, err := steps.Build(in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTheFragmentHoldsOnlyWhatTheZoneLacks(t *testing.T) {
	in := steptest.Bare()
	in.Facts.Zones[0].Records = []state.Record{
		{Name: "mail.lab.example.", Type: "A", TTL: 86400, Value: "192.0.2.10"},
		{Name: "lab.example.", Type: "TXT", TTL: 600, Value: "v=spf1 ip4:192.0.2.10 ~all"},
		{Name: "lab.example.", Type: "MX", TTL: 600, Value: "10 mx.vendor.example."},
		{Name: "mail.lab.example.", Type: "TXT", TTL: 600, Value: "some-verification=1"},
	}
	want := steptest.Build(t, in)
	text := steptest.Content(t, steptest.Stage(t, want, "Zone"), "/etc/bind/mailsetup/lab.example.zone")
	if strings.Contains(text, " A ") || strings.Contains(text, "lab.example. 3600 IN TXT \"v=spf1 ip4:192.0.2.10 mx") {
		t.Errorf("the fragment repeats what the zone has:\n%s", text)
	}
	if !slices.ContainsFunc(want.Notes, func(n state.Note) bool { return strings.Contains(n.Text, "mx.vendor.example") }) {
		t.Error("nobody speaks of the MX record that differs")
	}
	if !strings.Contains(text, "600") {
		t.Errorf("the record that joins an RRset does not take its TTL:\n%s", text)
	}
}

func TestTheHostOfAnotherZoneIsOnlyMentioned(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname = "mail.provider.example"
	want := steptest.Build(t, in)
	text := steptest.Content(t, steptest.Stage(t, want, "Zone"), "/etc/bind/mailsetup/lab.example.zone")
	if strings.Contains(text, "\nmail.provider.example.") {
		t.Errorf("out-of-zone data in the fragment:\n%s", text)
	}
	if !slices.ContainsFunc(want.Notes, func(n state.Note) bool { return strings.Contains(n.Text, "mail.provider.example") }) {
		t.Error("nobody says that mail.provider.example needs its records elsewhere")
	}
}

func TestManualRecordsWaitForTheKey(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSManual
	notes := steptest.Build(t, in).Notes
	if !slices.ContainsFunc(notes, func(n state.Note) bool { return strings.Contains(n.Do, "p=MIIB") }) {
		t.Error("the records are not printed")
	}
	in.Keys["lab.example"][0].Public = keyring.Placeholder
	for _, n := range steptest.Build(t, in).Notes {
		if strings.Contains(n.Do, "DKIM1") {
			t.Errorf("a record is printed for a key that does not exist: %s", n.Do)
		}
	}
}

func TestAliases(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias = "ops@lab.example"
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("# See man 5 aliases\npostmaster:    root\n")}
	st := steptest.Stage(t, steptest.Build(t, in), "Aliases")
	edit := st.Edits[0].(state.AliasEdit)
	if d := cmp.Diff([]state.Setting{{Name: "root", Value: "ops@lab.example"}}, edit.Set); d != "" {
		t.Error(d)
	}
	if len(st.Derived) != 1 || st.Derived[0].Path != "/etc/aliases.db" {
		t.Errorf("derived %v, want aliases.db", st.Derived)
	}
}

func TestTheLedgerSaysActiveLast(t *testing.T) {
	want := steptest.Build(t, steptest.Bare())
	read := func(name string) keyring.Key {
		keys, err := keyring.ParseDomain([]byte(steptest.Content(t, steptest.Stage(t, want, name), keyring.File("lab.example"))))
		if err != nil {
			t.Fatal(err)
		}
		return keys[0]
	}
	if got := read("Keys").Stage; got != keyring.Publishing {
		t.Errorf("before: %s, want publishing", got)
	}
	got := read("Ledger")
	if got.Stage != keyring.Active || !got.Seen.Equal(steptest.Now) {
		t.Errorf("after: %s, seen %v; want active, seen now", got.Stage, got.Seen)
	}
}
