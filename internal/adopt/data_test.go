package adopt_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/adopt"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
)

func TestData(t *testing.T) {
	found := &adopt.Setup{Keys: map[string]keyring.Key{}}
	found.Signers = []opendkim.Signer{{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []opendkim.Row{
		{Text: "*@lab.example", Identity: "@lab.example", Place: opendkim.Place{File: "/s", Line: 3}},
	}}}
	want := []jsondoc.Domain{{
		Domain: "lab.example", Keys: []jsondoc.Key{{Domain: "lab.example", Selector: "S1", File: "/k"}},
		Rows: []jsondoc.Row{{Pattern: "*@lab.example", Identity: "@lab.example", At: "/s:3"}},
	}}
	if diff := cmp.Diff(want, found.Data()); diff != "" {
		t.Error(diff)
	}
}
