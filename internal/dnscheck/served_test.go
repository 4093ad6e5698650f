package dnscheck_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/state"
)

// What stands in the place of a record is found on any server; a record is there if
// all that answer have it.
func TestServed(t *testing.T) {
	spf, dmarc := theSPF().Record, theDMARC().Record
	old := state.Record{Name: "_dmarc.lab.example.", Type: "TXT", TTL: 60, Value: "v=DMARC1; p=reject"}
	served := func(first, second string) map[state.Record]state.Served {
		c := labZone(t, dnstest.Zone(t, zone("8", first)...), dnstest.Zone(t, zone("8", second)...))
		return dnscheck.Check(t.Context(), c, policies(), dnscheck.Result{}).Served()
	}
	for _, tt := range []struct {
		name, first, second string
		want                state.Served
	}{
		{"both have it", goodDMARC, goodDMARC, state.Served{Everywhere: true}},
		{"one has another", goodDMARC, `TXT "v=DMARC1; p=reject"`, state.Served{Instead: []state.Record{old}}},
		{"none has it", `TXT "v=DMARC1; p=reject"`, `TXT "v=DMARC1; p=reject"`, state.Served{Instead: []state.Record{old}}},
		{"nothing there", `A 192.0.2.1`, goodDMARC, state.Served{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := map[state.Record]state.Served{spf: {Everywhere: true}, dmarc: tt.want}
			if d := cmp.Diff(want, served(tt.first, tt.second)); d != "" {
				t.Error(d)
			}
		})
	}
}
