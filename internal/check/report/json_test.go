package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/jsondoc/jsondoctest"
)

// full is a report with something in each field.
func full(t *testing.T) report.Report {
	t.Helper()
	r := sample()
	r.Messages = []finding.Message{{Domain: "lab.example", Way: "smtp", Stations: []finding.Station{{Name: "OpenDKIM", Severity: finding.OK, Text: "signed"}}}, {Way: "bounce"}}
	r.SPF = []finding.SPFTree{{Domain: "lab.example", SPFNode: finding.SPFNode{
		Name: "lab.example", Record: "v=spf1 include:a.example -all", Lookups: 1, Children: []finding.SPFNode{{Name: "a.example", Term: "include:a.example", Problem: "no record"}},
	}}}
	r.Keys = []finding.KeyLife{{Domain: "lab.example", Selector: "202611", Bits: 2048, Stage: "active", Made: now, Active: now, Retired: now, Next: now}}
	last := r.Compare(report.Last{Time: now.Add(-24 * time.Hour)}, true)
	if last.Time != now {
		t.Errorf("told at %v", last.Time)
	}
	r.Changes[0].Before, r.Changes[1].Gone = finding.Warning, true
	r.Failed = &jsondoc.Error{Message: "no"}
	return r
}

// What is printed is what the schema promises, and a full report has each field of it.
func TestJSONSchema(t *testing.T) {
	for _, r := range []report.Report{full(t), report.New(finding.Result{}, report.Asked{})} {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if err := jsondoctest.Validate(b.String()); err != nil {
			t.Error(err)
		}
		if err := jsondoctest.Validate(strings.Replace(b.String(), `"findings": [`, `"findings": [{"id": "spf.pass", "severity": "bad", "fixable": false},`, 1)); err == nil {
			t.Error("a severity that there is none of is valid")
		}
	}
	var b bytes.Buffer
	if err := full(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	text := b.Bytes()
	for _, of := range []reflect.Type{
		reflect.TypeFor[jsondoc.Check](), reflect.TypeFor[jsondoc.Summary](), reflect.TypeFor[jsondoc.Finding](), reflect.TypeFor[jsondoc.ChangedFinding](),
		reflect.TypeFor[jsondoc.Score](), reflect.TypeFor[jsondoc.Lost](), reflect.TypeFor[finding.SPFNode](), reflect.TypeFor[finding.Station](),
	} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "" && name != "-" && !bytes.Contains(text, []byte(`"`+name+`":`)) {
				t.Errorf("%v.%s is in no JSON here", of, of.Field(i).Name)
			}
		}
	}
}

// The data is written piece by piece: with thousands of domains the whole of it would take
// more memory than the check.
func TestJSONIsWrittenInPieces(t *testing.T) {
	many := finding.Result{}
	for i := range 5000 {
		many.Findings = append(many.Findings, finding.Finding{ID: "mx.v6", Severity: finding.Note, Domain: fmt.Sprintf("d%d.example", i), Seen: "<here>"})
	}
	var got pieces
	if err := report.New(many, report.Asked{}).WriteJSON(&got); err != nil || strings.Count(got.String(), `"seen": "<here>"`) != 5000 || !json.Valid(got.Bytes()) {
		t.Errorf("%v: %.300s", err, got.String())
	}
	if got.most > 64<<10 {
		t.Errorf("%d octets at a time, of %d", got.most, got.Len())
	}
	if err := full(t).WriteJSON(fullDisk{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
}

// pieces is what was written, and the most at a time.
type pieces struct {
	bytes.Buffer
	most int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.most = max(p.most, len(b))
	return p.Buffer.Write(b)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
