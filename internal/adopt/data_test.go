package adopt_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"mailsetup/internal/adopt"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/plan"
)

func TestDataBesideAPlan(t *testing.T) {
	found := &adopt.Setup{Keys: map[string]keyring.Key{}}
	found.Signers = []opendkim.Signer{{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []opendkim.Row{
		{Text: "*@lab.example", Identity: "@lab.example", Place: opendkim.Place{File: "/s", Line: 3}},
	}}}
	var b bytes.Buffer
	if err := (plan.Plan{}).WriteJSON(&b, plan.JSONField{Name: "adopted", Value: found.Data()}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Stages, Drift, Questions, Notes []any
		Adopted                         []adopt.SigningDomain
	}
	dec := json.NewDecoder(bytes.NewReader(b.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || got.Stages == nil || got.Notes == nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	want := adopt.SigningDomain{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []adopt.Row{{Pattern: "*@lab.example", Identity: "@lab.example", At: "/s:3"}}}
	if len(got.Adopted) != 1 || got.Adopted[0].Rows[0] != want.Rows[0] || got.Adopted[0].Domain != want.Domain || got.Adopted[0].KeyFile != want.KeyFile {
		t.Errorf("%s", b.String())
	}
}
