package records_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// reporting has a second domain whose reports go to the first, to a domain of
// somebody else, and to a subdomain of its own, which needs no consent.
func reporting() (step.Input, spec.Domain) {
	in := steptest.Two("mail.lab.example", "shop.example")
	d := &in.Spec.Domains[1]
	d.DMARC.RUA = []string{"mailto:ops@lab.example", "mailto:shop@reports.vendor.example", "https://vendor.example/in"}
	d.DMARC.RUF = []string{"mailto:ops@sub.shop.example", "mailto:again@LAB.example"}
	return in, *d
}

func TestWhoHasToConsentToReports(t *testing.T) {
	_, d := reporting()
	if got, want := records.ReportDomains(d), []string{"lab.example", "reports.vendor.example"}; !slices.Equal(got, want) {
		t.Errorf("asks %q, want %q", got, want)
	}
	if got, want := records.ReportConsentNames(d), []string{"shop.example._report._dmarc.lab.example", "shop.example._report._dmarc.reports.vendor.example"}; !slices.Equal(got, want) {
		t.Errorf("at %q, want %q", got, want)
	}
}

// A zone here consents where that is ours to say: not beside an alias, which says it
// itself, nor where it consents to reports about everybody.
func TestConsentsThatAZoneHereGives(t *testing.T) {
	const ours = "shop.example._report._dmarc.lab.example. TXT v=DMARC1"
	for name, tt := range map[string]struct {
		change func(*step.Input, *spec.Domain)
		want   []string
	}{
		"a zone of this machine":            {func(*step.Input, *spec.Domain) {}, []string{ours}},
		"the domain is published elsewhere": {func(_ *step.Input, d *spec.Domain) { d.DNS = spec.DNSManual }, []string{ours}},
		"all records are printed":           {func(in *step.Input, _ *spec.Domain) { in.Spec.Host.DNS = spec.DNSManual }, nil},
		"another name server has the port":  {func(in *step.Input, d *spec.Domain) { in.Facts.DNS, d.DNS = state.Unbound, spec.DNSManual }, nil},
		"the zone cannot be worked with":    {func(in *step.Input, _ *spec.Domain) { in.Facts.Zones[0].Problem = "it is a secondary" }, nil},
		"the run is about keys alone":       {func(in *step.Input, _ *spec.Domain) { in.KeysOnly = true }, nil},
		"the zone consents about everybody": {func(in *step.Input, _ *spec.Domain) {
			in.Facts.Zones[0].Records = []state.Record{steptest.Rec("*._report._dmarc.lab.example.", "TXT", "v=DMARC1;")}
		}, nil},
		"another text for everybody": {func(in *step.Input, _ *spec.Domain) {
			in.Facts.Zones[0].Records = []state.Record{steptest.Rec("*._report._dmarc.lab.example.", "TXT", "v=spf1 -all")}
		}, []string{ours}},
		"an alias says it, or does not": {func(in *step.Input, _ *spec.Domain) {
			in.Facts.Zones[0].Records = []state.Record{steptest.Rec("shop.example._report._dmarc.lab.example.", "CNAME", "x.vendor.example.")}
		}, nil},
		"the reports go to the domain alone": {func(_ *step.Input, d *spec.Domain) { d.DMARC.RUA, d.DMARC.RUF = []string{"mailto:a@shop.example"}, nil }, nil},
	} {
		in, d := reporting()
		tt.change(&in, &d)
		if got := steptest.Lines(records.ReportConsents(in, d)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Whose consent nobody has published is told, with the record that says it.
func TestConsentsThatAreMissing(t *testing.T) {
	in, d := reporting()
	missing := func() []string {
		var list []string
		for _, n := range records.MissingConsentNotes(in, d) {
			list = append(list, n.Text+" | "+n.Action)
		}
		return list
	}
	const vendor = `reports to reports.vendor.example need its consent in DNS (RFC 9990) | shop.example._report._dmarc.reports.vendor.example. TXT "v=DMARC1"`
	if got := missing(); !slices.Equal(got, []string{vendor}) {
		t.Errorf("missing %q", got)
	}
	in.Facts.Live = map[string]state.LiveDNS{"shop.example._report._dmarc.reports.vendor.example": {Asked: true, TXT: []string{"v=DMARC1; rua=mailto:x@vendor.example"}}}
	if got := missing(); len(got) > 0 {
		t.Errorf("consented, and yet %q", got)
	}
	in.Facts.Zones[0].Problem = "it takes dynamic updates"
	if got := missing(); len(got) != 1 || !strings.Contains(got[0], "; zone lab.example: it takes dynamic updates | ") {
		t.Errorf("missing %q", got)
	}
}

// A key that is revoked in this run is for the administrator to revoke where all
// records are theirs, and for nobody once it was revoked before.
func TestRevocationsByHand(t *testing.T) {
	in := steptest.Manual()
	key := keyring.Key{Selector: "old", Public: "AAAA", Stage: keyring.Revoked}
	in.Ledger = keyring.Ledger{"lab.example": {key}}
	was := key
	was.Stage = keyring.Draining
	in.Keys.During = keyring.Ledger{"lab.example": {was}}
	notes := records.RevocationNotes(in)
	if len(notes) != 1 || notes[0].Action != `old._domainkey.lab.example. TXT "v=DKIM1; h=sha256; k=rsa; p="` {
		t.Errorf("notes %+v", notes)
	}
	in.Keys.During["lab.example"] = in.Ledger["lab.example"]
	if notes := records.RevocationNotes(in); len(notes) > 0 {
		t.Errorf("revoked before, and yet %+v", notes)
	}
	in.Keys.During["lab.example"], in.Spec.Host.DNS = []keyring.Key{was}, spec.DNSSlots
	if notes := records.RevocationNotes(in); len(notes) != 1 {
		t.Errorf("by hand, while new keys go into slots: %+v", notes)
	}
	in.Keys.During["lab.example"], in.Spec.Host.DNS = []keyring.Key{was}, spec.DNSBind
	if notes := records.RevocationNotes(in); len(notes) > 0 {
		t.Errorf("published here, and yet %+v", notes)
	}
	in.Spec.Host.DNS = spec.DNSManual
	in.Ledger["lab.example"][0].SlotZone, in.Keys.During["lab.example"][0].SlotZone = "dkim.ours.example", "dkim.ours.example"
	if notes := records.RevocationNotes(in); len(notes) > 0 {
		t.Errorf("in a zone of ours, and yet %+v", notes)
	}
}

// An SPF record that is to be that of another domain says nothing else.
func TestSPFOfAnotherDomain(t *testing.T) {
	for record, want := range map[string]string{
		"v=spf1 redirect=lab.example":                  "",
		"v=spf1 redirect=LAB.example":                  "",
		"v=spf1 ip4:192.0.2.10 redirect=lab.example":   "v=spf1 redirect=lab.example",
		"v=spf1 redirect=other.example":                "v=spf1 redirect=lab.example",
		"v=spf1 mx -all":                               "v=spf1 redirect=lab.example",
		"v=spf1 include:_spf.vendor.example mx a ~all": "v=spf1 redirect=lab.example",
	} {
		in := steptest.Two("mail.lab.example", "shop.example")
		d := in.Spec.Domains[1]
		d.SPF = spec.SPF{Redirect: "lab.example"}
		ours := records.Of(in, d)[0]
		c := records.Compare(in, d, ours, []state.Record{steptest.Rec("shop.example.", "TXT", record)})
		if c.Missing || c.Refused != nil || c.Change != want {
			t.Errorf("%s: %+v, want %q", record, c, want)
		}
		d.Keep = []string{"spf"}
		c = records.Compare(in, d, ours, []state.Record{steptest.Rec("shop.example.", "TXT", record)})
		if c.Change != "" || len(c.Notes) != map[bool]int{true: 0, false: 1}[want == ""] {
			t.Errorf("%s, which is to stay: %+v", record, c)
		}
	}
}

// An SPF record may name what is about to be published: addresses and exchangers,
// and of other domains the exchangers alone.
func TestPlannedRecords(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	want := []string{"lab.example. MX 10 mail.lab.example.", "mail.lab.example. A 192.0.2.10"}
	if got := steptest.Lines(records.Planned(in.Spec)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	in.Spec.Domains[1].Receive = true
	want = append(want, "shop.example. MX 10 mail.lab.example.")
	if got := steptest.Lines(records.Planned(in.Spec)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A host that is named like another domain has the SPF record of that one.
func TestRecordsOfASharedHostName(t *testing.T) {
	in := steptest.Two("shop.example", "shop.example")
	count := func(d spec.Domain) int {
		return len(slices.DeleteFunc(records.Of(in, d), func(r state.Record) bool { return r.Name != "shop.example." || r.Type != "TXT" }))
	}
	if a, b := count(in.Spec.Domains[0]), count(in.Spec.Domains[1]); a != 0 || b != 1 {
		t.Errorf("%d of the primary domain, %d of its own", a, b)
	}
	in.KeysOnly = true
	for _, d := range in.Spec.Domains {
		if got := records.Of(in, d); len(got) != 1 || !strings.Contains(got[0].Name, "._domainkey.") {
			t.Errorf("a rotation is about %q", steptest.Lines(got))
		}
	}
}
