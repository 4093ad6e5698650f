package report_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
)

// One line says it all, numbers follow a bar, and the code is that of a plugin.
func TestNagios(t *testing.T) {
	for _, tt := range []struct {
		findings string
		state    report.NagiosState
		line     string
	}{
		{
			"ok spf.pass,note mx.v6", report.NagiosOK,
			"MAILSETUP OK - 0 problems, 0 warnings, 0 unknown | problems=0;;0;0 warnings=0;0;;0 unknown=0;;;0 notes=1;;;0 ok=1;;;0 ignored=0;;;0 score=2.0;;;0;2.0",
		},
		{
			"ok spf.pass,warning spf.all,unknown bl.ip", report.NagiosWarning,
			"MAILSETUP WARNING - 0 problems, 1 warning, 1 unknown: what becomes of all other senders | problems=0;;0;0 warnings=1;0;;0 unknown=1;;;0 notes=0;;;0 ok=1;;;0 ignored=0;;;0 score=0.6;;;0;1.0",
		},
		{
			"problem spf.pass lab.example,warning spf.all", report.NagiosCritical,
			"MAILSETUP CRITICAL - 1 problem, 1 warning, 0 unknown: SPF of each address, for MAIL FROM | problems=1;;0;0 warnings=1;0;;0 unknown=0;;;0 notes=0;;;0 ok=0;;;0 ignored=0;;;0 score=0.0;;;0;1.0",
		},
		{
			"unknown bl.ip,ok spf.pass", report.NagiosUnknown,
			"MAILSETUP UNKNOWN - 0 problems, 0 warnings, 1 unknown: addresses on block lists | problems=0;;0;0 warnings=0;0;;0 unknown=1;;;0 notes=0;;;0 ok=1;;;0 ignored=0;;;0 score=1.0;;;0;1.0",
		},
		{
			"problem spf.pass # known", report.NagiosOK,
			"MAILSETUP OK - 0 problems, 0 warnings, 0 unknown | problems=0;;0;0 warnings=0;0;;0 unknown=0;;;0 notes=0;;;0 ok=0;;;0 ignored=1;;;0 score=1.0;;;0;1.0",
		},
	} {
		r := of(t, asked(), strings.Split(tt.findings, ",")...)
		var b strings.Builder
		err := r.WriteNagios(&b)
		state, _ := errors.AsType[report.NagiosState](err)
		if line, _, _ := strings.Cut(b.String(), "\n"); line != tt.line || state != tt.state {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.findings, state, line, tt.line)
		}
	}
}

// Nothing that others wrote begins numbers or another line.
func TestNagiosOfHostileText(t *testing.T) {
	r := report.New(finding.Result{Findings: []finding.Finding{{ID: "spf.pass", Severity: finding.Problem, Seen: "x | problems=0\nOK\x1b[2J"}}}, asked())
	var b strings.Builder
	_ = r.WriteNagios(&b)
	if regexp.MustCompile(`\|.*\|`).MatchString(b.String()) || strings.Count(b.String(), "\n") != 2 || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	err := report.NotRun(&b, true, errors.New("no | way\nat all"), func() {})
	if !errors.Is(err, report.NagiosUnknown) || b.String() != "MAILSETUP UNKNOWN - no / way at all\n" {
		t.Errorf("%v: %q", err, b.String())
	}
}

// Prometheus' own parser reads it, with the numbers of the summary.
func TestPrometheus(t *testing.T) {
	r := sample()
	r.Findings = append(r.Findings, finding.Finding{ID: "caa", Severity: finding.Problem, Domain: "a\"b\\c\n.example"})
	var b strings.Builder
	if err := r.WritePrometheus(&b); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	got := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			labels := ""
			for _, l := range m.Label {
				labels += fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue())
			}
			got[strings.TrimPrefix(name, "mailsetup_check_")+labels] = m.GetGauge().GetValue()
		}
	}
	for series, want := range map[string]float64{
		"findings severity=problem": 19, "findings severity=warning": 1, "findings severity=ignored": 1, "findings severity=ok": 19,
		"not_ok id=spf.pass domain=d16.example severity=problem":  1,
		"not_ok id=addr.ptr domain= severity=problem":             1,
		`not_ok id=caa domain=a"b\c\x0a.example severity=problem`: 1,
		"passed id=dns.same": 1,
		"score":              4.5, "score_max": 9, "domains": 2, "last_run_timestamp_seconds": 1796023800,
	} {
		if got[series] != want {
			t.Errorf("%s: %v, want %v\n%s", series, got[series], want, b.String())
		}
	}
	for series := range got {
		if strings.Contains(series, "addr.fcrdns") || strings.Contains(series, "net.clock") {
			t.Errorf("%s is a consequence, or ignored", series)
		}
	}
}
