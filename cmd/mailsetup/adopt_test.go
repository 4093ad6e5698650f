package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"mailsetup/internal/adopt"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
)

// Every line that cannot be taken over is printed, with exit code 2.
func TestLinesThatCannotBeTakenOver(t *testing.T) {
	var said bytes.Buffer
	c := console{err: &said}
	finding := func(field string) spec.Finding { return spec.Finding{Field: field, Text: "is odd", Hint: "correct it"} }
	if code := c.finish(errors.Join(spec.Findings{finding("/s:1"), finding("/s:7")})); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	want := "mailsetup: /s:1: is odd\nhint: correct it\nmailsetup: /s:7: is odd\nhint: correct it\n"
	if said.String() != want {
		t.Errorf("got\n%s\nwant\n%s", said.String(), want)
	}
}

func TestDataBesideAPlan(t *testing.T) {
	found := &adopt.Setup{Keys: map[string]keyring.Key{}}
	found.Signers = []opendkim.Signer{{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []opendkim.Row{
		{Written: "*@lab.example", Identity: "@lab.example", Place: opendkim.Place{File: "/s", Line: 3}},
	}}}
	b, err := beside([]byte("{\n  \"stages\": [],\n  \"notes\": []\n}\n"), "adopted", found.Data())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Stages, Notes []any
		Adopted       []adopt.SigningDomain
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || got.Stages == nil || got.Notes == nil {
		t.Fatalf("%v\n%s", err, b)
	}
	want := adopt.SigningDomain{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []adopt.Row{{Pattern: "*@lab.example", Identity: "@lab.example", At: "/s:3"}}}
	if len(got.Adopted) != 1 || got.Adopted[0].Rows[0] != want.Rows[0] || got.Adopted[0].Domain != want.Domain || got.Adopted[0].KeyFile != want.KeyFile {
		t.Errorf("%s", b)
	}
}
