package report_test

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

// What can be mended is what counts: no note, nothing ignored, and no consequence.
func TestFixable(t *testing.T) {
	r := report.New(finding.Result{Findings: []finding.Finding{
		{ID: "tls.out", Severity: finding.Warning, Fixable: true},
		{ID: "dkim.record", Severity: finding.Problem, Domain: "b.example", Fixable: true},
		{ID: "mx.exists", Severity: finding.Problem, Domain: "b.example", Fixable: true},
		{ID: "dkim.record", Severity: finding.Problem, Domain: "a.example", Fixable: true},
		{ID: "dkim.record", Severity: finding.Problem, Domain: "ignored.example", Fixable: true, Ignored: "known"},
		{ID: "dkim.record", Severity: finding.Note, Domain: "note.example", Fixable: true},
		{ID: "dkim.record", Severity: finding.Problem, Domain: "by.hand.example"},
	}}, report.Asked{})
	fix := r.Fix()
	if is := strings.Join(fix.Domains, " "); is != "a.example b.example" || r.Summary.Fixable != 4 {
		t.Errorf("%q, %d", is, r.Summary.Fixable)
	}
	if is := strings.Join(fix.Mends, ", "); is != "mx.exists b.example, dkim.record a.example, dkim.record b.example, tls.out" {
		t.Errorf("mends %q", is)
	}
	if is := strings.Join(fix.Ignored, ", "); is != "dkim.record ignored.example" {
		t.Errorf("ignored %q", is)
	}
	want := `mailsetup init mends:
  mx.exists b.example
  dkim.record a.example
  dkim.record b.example
  tls.out
This is the whole plan of mailsetup init: it may mend more than that.
It mends as well what is ignored: dkim.record ignored.example`
	if fix.String() != want {
		t.Error(fix)
	}
	if err := fix.Check(true); err != nil {
		t.Error(err)
	}
	if err := fix.Check(false); !hint.IsUsage(err) || err.Error() != "what mailsetup init mends is ignored in part: dkim.record ignored.example" {
		t.Error(err)
	}
}

// A run that mends nothing says so.
func TestNothingToMend(t *testing.T) {
	for _, tt := range []struct {
		found finding.Finding
		want  string
	}{
		{finding.Finding{ID: "tls.out", Severity: finding.OK, Fixable: true}, "Nothing here that --fix can mend."},
		{finding.Finding{ID: "spf.lookups", Severity: finding.Problem}, "Nothing here that --fix can mend. What to do is said with each finding."},
		{finding.Finding{ID: "tls.out", Severity: finding.Problem, Fixable: true, Ignored: "wanted"}, "Nothing here that --fix can mend."},
	} {
		fix := report.New(finding.Result{Findings: []finding.Finding{tt.found}}, report.Asked{}).Fix()
		if fix.String() != tt.want || len(fix.Mends) > 0 || len(fix.Domains) > 0 {
			t.Errorf("%s: %s", tt.found.ID, fix)
		}
	}
}
