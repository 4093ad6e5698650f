package jsondoc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/jsondoc"
)

func written(t *testing.T, d jsondoc.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := jsondoc.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A document names itself first; what is not there is left out, and no list is null.
func TestWrite(t *testing.T) {
	for _, tt := range []struct {
		d    jsondoc.Document
		want string
	}{
		{jsondoc.List{}, `{
  "schema": 1,
  "document": "list",
  "domains": []
}
`},
		{jsondoc.Failure{Error: jsondoc.Error{Message: "a <b>\x1b", Exit: 2}}, `{
  "schema": 1,
  "document": "error",
  "error": {
    "message": "a <b>\u001b",
    "hints": [],
    "exit": 2
  }
}
`},
		{&jsondoc.List{Domains: []jsondoc.Domain{
			{Domain: "a.example", Keys: []jsondoc.Key{{Domain: "a.example", Selector: "s", Made: time.Date(2026, 1, 2, 4, 5, 6, 7, time.FixedZone("", 3600))}}},
			{Domain: "b.example", Keys: []jsondoc.Key{}, Checked: &jsondoc.Look{OK: true}},
		}}, `{
  "schema": 1,
  "document": "list",
  "domains": [
    {
      "domain": "a.example",
      "keys": [
        {
          "domain": "a.example",
          "selector": "s",
          "made": "2026-01-02T03:05:06Z"
        }
      ]
    },
    {
      "domain": "b.example",
      "keys": [],
      "checked": {
        "ok": true
      }
    }
  ]
}
`},
		{jsondoc.Inbound{SPF: "off", DMARC: "off"}, `{
  "schema": 1,
  "document": "inbound",
  "spf": "off",
  "dmarc": "off",
  "dnsbl": [],
  "allow": [],
  "as_asked": null
}
`},
		{jsondoc.History{Runs: []jsondoc.Run{{ID: "r", Stages: []jsondoc.Stage{{Name: "Keys"}, {Name: "Files", Changes: slices.Values([]jsondoc.Change{{Op: "mkdir", Path: "/a"}})}}}}}, `{
  "schema": 1,
  "document": "history",
  "runs": [
    {
      "id": "r",
      "stages": [
        {
          "name": "Keys"
        },
        {
          "name": "Files",
          "changes": [
            {
              "op": "mkdir",
              "path": "/a"
            }
          ]
        }
      ]
    }
  ]
}
`},
	} {
		if got := written(t, tt.d); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

// Embedded structs are written as if their fields were the document's own.
func TestWriteEmbedded(t *testing.T) {
	got := written(t, jsondoc.Check{
		Findings: slices.Values([]finding.Finding{{ID: "spf.pass", Severity: finding.OK}}), Passed: map[string]int{"spf.pass": 1},
		Changes: []jsondoc.ChangedFinding{{Finding: finding.Finding{ID: "mx", Severity: finding.Problem}, Gone: true}},
		SPF:     []jsondoc.SPFTree{{Domain: "lab.example", SPFNode: finding.SPFNode{Name: "lab.example", Children: []finding.SPFNode{{Name: "a.example"}}}}},
	})
	var v struct {
		Findings []finding.Finding
		Changes  []struct {
			ID   string
			Gone bool
		}
		SPF []jsondoc.SPFTree
	}
	if err := json.Unmarshal([]byte(got), &v); err != nil || len(v.Findings) != 1 || v.Changes[0].ID != "mx" || !v.Changes[0].Gone || v.SPF[0].Children[0].Name != "a.example" {
		t.Errorf("%v\n%s", err, got)
	}
}

// pieces is what was written, and the most at a time.
type pieces struct {
	bytes.Buffer
	most int
	torn bool
}

func (p *pieces) Write(b []byte) (int, error) {
	p.most = max(p.most, len(b))
	p.torn = p.torn || !strings.HasSuffix(string(b), `"`) && !strings.HasSuffix(string(b), "\n") && !strings.HasSuffix(string(b), "true")
	return p.Buffer.Write(b)
}

// What is about thousands of domains is written in pieces, none of which ends within a
// character.
func TestWriteInPieces(t *testing.T) {
	d := jsondoc.List{}
	for range 10_000 {
		d.Domains = append(d.Domains, jsondoc.Domain{Domain: strings.Repeat("ü", 20), Primary: true})
	}
	var p pieces
	if err := jsondoc.Write(&p, d); err != nil || p.most > 64<<10 || p.torn || !json.Valid(p.Bytes()) {
		t.Errorf("%v: %d octets at a time, torn: %v", err, p.most, p.torn)
	}
	if err := jsondoc.Write(full{}, d); err == nil {
		t.Error("a full disk is no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
