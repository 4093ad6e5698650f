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

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
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
	return r
}

// What is printed is what docs/check.schema.json promises, and that knows each field.
func TestJSONSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../../docs/check.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	empty := report.New(finding.Result{}, report.Asked{})
	for _, r := range []report.Report{full(t), empty} {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		data, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(data); err != nil {
			t.Errorf("%v", err)
		}
		m := data.(map[string]any)
		if m["findings"] == nil || m["skipped"] == nil || m["domains"] == nil {
			t.Errorf("lists that are null")
		}
		m["findings"] = []any{map[string]any{"id": "spf.pass", "severity": "bad", "fixable": false}}
		if schema.Validate(data) == nil {
			t.Error("a severity that there is none of is valid")
		}
	}
	text, err := json.Marshal(full(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[report.Report](), reflect.TypeFor[report.Summary](), reflect.TypeFor[finding.Finding](), reflect.TypeFor[finding.Result](), reflect.TypeFor[report.Change](),
		reflect.TypeFor[report.Score](), reflect.TypeFor[report.Lost](), reflect.TypeFor[finding.SPFNode](), reflect.TypeFor[finding.KeyLife](), reflect.TypeFor[finding.Station](),
	} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "" && name != "-" && !bytes.Contains(text, []byte(`"`+name+`":`)) {
				t.Errorf("%v.%s is in no JSON here", of, of.Field(i).Name)
			}
		}
	}
}

// The data is what json.Encoder prints, written piece by piece: with thousands of domains
// the whole of it would take more memory than the check.
func TestJSONIsWrittenInPieces(t *testing.T) {
	many := finding.Result{}
	for i := range 5000 {
		many.Findings = append(many.Findings, finding.Finding{
			ID: "mx.v6", Severity: finding.Note, Domain: fmt.Sprintf("d%d.example", i), Seen: `no "findings": [] <here>`,
		})
	}
	for _, r := range []report.Report{full(t), report.New(finding.Result{}, report.Asked{}), report.New(many, report.Asked{Server: `"findings": []`})} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
		var got pieces
		if err := r.WriteJSON(&got); err != nil || got.String() != want.String() {
			t.Errorf("%v: %.300s\nwant %.300s", err, got.String(), want.String())
		}
		if got.most > 64<<10 {
			t.Errorf("%d octets at a time, of %d", got.most, got.Len())
		}
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
