package report_test

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
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
	if domains, some := r.Fixable(); strings.Join(domains, " ") != "a.example b.example" || !some || r.Summary.Fixable != 4 {
		t.Errorf("%q, %v, %d", domains, some, r.Summary.Fixable)
	}
	if domains, some := report.New(finding.Result{}, report.Asked{}).Fixable(); len(domains) > 0 || some {
		t.Errorf("nothing was found, and %q, %v", domains, some)
	}
}
