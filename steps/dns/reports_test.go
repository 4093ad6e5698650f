package dns_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// reporting is two domains in two zones here; reports about the second go to
// the first.
func reporting() step.Input {
	in := steptest.Two("mail.lab.example", "shop.example")
	in.Spec.Domains[1].DMARC.RUA = []string{"mailto:ops@lab.example", "mailto:dmarc@elsewhere.example"}
	return in
}

// fragmentOf is the text of a zone's fragment, each space a single one; "" for
// none.
func fragmentOf(t *testing.T, in step.Input, origin string) string {
	t.Helper()
	for _, f := range steptest.Stage(t, steptest.Build(t, in), "DNS").Files {
		if f.Path == dns.FragmentDir.Join(origin+".zone") {
			var lines []string
			for line := range strings.Lines(string(f.Content)) {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
			return strings.Join(lines, "\n")
		}
	}
	return ""
}

func TestAZoneOfOursConsentsToReports(t *testing.T) {
	const consent = `shop.example._report._dmarc.lab.example. 600 IN TXT "v=DMARC1"`
	in := reporting()
	if text := fragmentOf(t, in, "lab.example"); !strings.Contains(text, consent) {
		t.Errorf("no consent in\n%s", text)
	}
	// A zone that takes reports about everybody, and one that has the record.
	for _, name := range []string{"*._report._dmarc.lab.example.", "shop.example._report._dmarc.lab.example."} {
		in := reporting()
		in.Facts.Zones[0].Records = []state.Record{{Name: name, Type: "TXT", Value: "v=DMARC1;"}}
		if text := fragmentOf(t, in, "lab.example"); strings.Contains(text, "_report") {
			t.Errorf("%s is there already, and ours beside it:\n%s", name, text)
		}
	}
}

func TestOthersAreToConsentToReports(t *testing.T) {
	said := func(in step.Input) string {
		var b strings.Builder
		for _, n := range steps.Advice(in) {
			if strings.Contains(n.Text, "RFC 9990") {
				b.WriteString(n.Action + "\n")
			}
		}
		return b.String()
	}
	const there, here = "shop.example._report._dmarc.elsewhere.example. TXT \"v=DMARC1\"\n", "shop.example._report._dmarc.lab.example. TXT \"v=DMARC1\"\n"
	in := reporting()
	if got := said(in); got != there {
		t.Errorf("said %q", got)
	}
	in.Spec.Host.DNS = spec.DNSManual
	if got := said(in); got != here+there {
		t.Errorf("where records are printed: said %q", got)
	}
	in = reporting()
	in.Spec.Domains[1].DNS = spec.DNSManual
	if got := said(in); got != there {
		t.Errorf("where only those of the domain are printed: said %q", got)
	}
	in.Facts.Zones[0].Problem = "it takes dynamic updates"
	if got := said(in); got != here+there {
		t.Errorf("where the zone cannot be edited: said %q", got)
	}
	in = reporting()
	in.Facts.Live = map[string]state.LiveDNS{"shop.example._report._dmarc.elsewhere.example": {Asked: true, TXT: []string{"v=DMARC1"}}}
	if got := said(in); got != "" {
		t.Errorf("it consents: said %q", got)
	}
	if got := records.ReportConsentNames(in.Spec.Domains[1]); !slices.Equal(got, []string{
		"shop.example._report._dmarc.lab.example", "shop.example._report._dmarc.elsewhere.example",
	}) {
		t.Errorf("names %q", got)
	}
}

// A domain whose records are printed has the consent of a zone of ours all the
// same, nothing else there, and takes it along when it goes.
func TestAZoneOfOursConsentsToReportsAboutADomainElsewhere(t *testing.T) {
	const consent = `shop.example._report._dmarc.lab.example. 600 IN TXT "v=DMARC1"`
	lab := reporting()
	lab.Spec.Domains[1].DNS = spec.DNSManual
	lab.Facts.Zones = lab.Facts.Zones[:1]
	lab.Spec.Domains[1].DMARC.RUA[0] = "mailto:ops@lab.example"
	others := records.Of(lab, lab.Spec.Domains[0])
	for name, in := range map[string]step.Input{"added": lab, "all": lab} {
		if in.Scope = (step.Scope{}); name == "added" {
			in.Scope = step.Only("shop.example")
			in.Facts.Zones = slices.Clone(in.Facts.Zones)
			in.Facts.Zones[0].OurRecords = others
		}
		text := fragmentOf(t, in, "lab.example")
		if strings.Count(text, "shop.example") != 1 || !strings.Contains(text, consent) || !strings.Contains(text, "_dmarc.lab.example.") {
			t.Errorf("%s:\n%s", name, text)
		}
		for _, n := range steptest.Build(t, in).Notes {
			if strings.Contains(n.Text, "no longer kept up to date") {
				t.Errorf("%s: %s", name, n.Text)
			}
		}
	}
	d := lab.Spec.Domains[1]
	served := dns.ServedRecords(lab, d)
	if last := served[len(served)-1]; last.Name != "shop.example._report._dmarc.lab.example." {
		t.Errorf("waits for %+v", served)
	}
	gone := lab
	gone.Spec = lab.Spec.Without("shop.example")
	gone.Removed, gone.Scope = []spec.Domain{d}, step.Only("shop.example")
	gone.Facts.Zones = slices.Clone(lab.Facts.Zones)
	gone.Facts.Zones[0].OurRecords = append(slices.Clone(others), records.ReportConsents(lab, d)...)
	gone.Facts.Zones[0].Content = []byte("$INCLUDE \"/etc/bind/mailsetup/lab.example.zone\" lab.example.\n")
	text := fragmentOf(t, gone, "lab.example")
	if strings.Contains(text, "shop.example") || !strings.Contains(text, "_dmarc.lab.example.") {
		t.Errorf("removed:\n%s", text)
	}
	if n := dns.RecordsToRemove(gone, d); strings.Contains(n.Action, "_report") {
		t.Errorf("to be taken out by hand: %s", n.Action)
	}
}

// A run about one domain keeps what others have in the zones it writes, and
// leaves the rest alone.
func TestARunAboutOneDomainKeepsThoseThatShareItsZone(t *testing.T) {
	in := reporting()
	sub := in.Spec.Domains[0]
	sub.Name = "dept.lab.example"
	in.Spec.Domains = slices.Insert(in.Spec.Domains, 0, sub)
	all := fragmentOf(t, in, "lab.example")
	for _, d := range in.Spec.Domains[1:] {
		in.Facts.Zones[0].OurRecords = append(in.Facts.Zones[0].OurRecords, slices.Concat(records.Of(in, d), records.ReportConsents(in, d))...)
	}
	in.Facts.Zones[0].OurRecords = slices.DeleteFunc(in.Facts.Zones[0].OurRecords, func(r state.Record) bool { return !in.Facts.Zones[0].Contains(r.Name) })
	in.Scope = step.Only("dept.lab.example")
	if got := fragmentOf(t, in, "lab.example"); got != all {
		t.Errorf("got\n%s\nwant\n%s", got, all)
	}
	if got := fragmentOf(t, in, "shop.example"); got != "" {
		t.Errorf("the other zone is written:\n%s", got)
	}
	for _, f := range steptest.Stage(t, steptest.Build(t, in), "Ledger").Files {
		if f.Path != "/var/lib/mailsetup/keyring/dept.lab.example.json" {
			t.Errorf("writes %s", f.Path)
		}
	}
	tables := string(steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Files[1].Content)
	if !strings.Contains(tables, "shop.example:") || !strings.Contains(tables, " lab.example:") {
		t.Errorf("tables without the others:\n%s", tables)
	}
}

func TestRowsOfSubdomainsAndFurtherSenders(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Domains[0].Subdomains = true
	in.Spec.Domains[0].Also = []string{"lab2.example", "ann@lab3.example"}
	var rows []string
	for line := range strings.Lines(string(steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Files[2].Content)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] != "#" {
			rows = append(rows, f[0])
		}
	}
	if want := []string{".lab.example", "ann@lab3.example", "lab.example", "lab2.example", "mail.lab.example"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
}

func TestSPFRedirect(t *testing.T) {
	redirecting := func(lines string) step.Input {
		in := steptest.Having(t, lines, nil)
		in.Spec.Domains[0].SPF.Redirect = "first.example"
		return in
	}
	in := redirecting("")
	if text := fragmentOf(t, in, "lab.example"); !strings.Contains(text, `lab.example. 3600 IN TXT "v=spf1 redirect=first.example"`) {
		t.Errorf("no redirect in\n%s", text)
	}
	steptest.SaysNothingOf(t, redirecting("@ IN TXT \"v=spf1 redirect=First.example\"\n"), "lab.example.")
	edit, st, _ := steptest.ZoneStage(t, redirecting("@ IN TXT \"v=spf1 ip4:192.0.2.10 include:x.example ~all\"\n"))
	if len(edit.Replace) != 1 || edit.Replace[0].New.Value != "v=spf1 redirect=first.example" || len(st.Questions) != 1 {
		t.Errorf("%+v, %d questions", edit.Replace, len(st.Questions))
	}
}
