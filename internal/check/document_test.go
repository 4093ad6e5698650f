package check_test

import (
	"bytes"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/jsondoc/jsondoctest"
)

// A run prints one document, also where nothing has changed; people are told nothing then.
func TestNothingChangedAsData(t *testing.T) {
	r := report.New(finding.Result{}, report.Asked{})
	r.Changes = []report.Change{}
	var data, text bytes.Buffer
	if err := (check.Options{Changed: true, Form: "json"}).Write(&data, r, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := jsondoctest.Validate(data.String()); err != nil || !bytes.Contains(data.Bytes(), []byte(`"changes": []`)) {
		t.Errorf("%v\n%s", err, data.String())
	}
	if err := (check.Options{Changed: true}).Write(&text, r, report.TextOptions{}); err != nil || text.Len() > 0 {
		t.Errorf("%v, %q", err, text.String())
	}
}
