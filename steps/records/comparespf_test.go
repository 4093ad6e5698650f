package records_test

import (
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/steptest"
)

// A record that has our address behind names without addresses of its family is
// right, whatever its order: it is left as it is, and a note says what receivers
// make of it.
func TestSPFOrderIsNoFault(t *testing.T) {
	const record = "v=spf1 mx ip4:192.0.2.10 ~all"
	in := steptest.Having(t, "@ IN TXT \""+record+"\"\n", map[string]state.SPF{
		"lab.example": {Record: record, Lookups: 1, Unreached: []netip.Addr{netip.MustParseAddr("192.0.2.10")}},
	})
	in.Spec.Domains[0].SPF.Include = nil
	edit, st, notes := steptest.ZoneStage(t, in)
	if len(edit.Replace) > 0 || len(st.Questions) > 0 {
		t.Fatalf("changes %v, questions %v", edit.Replace, st.Questions)
	}
	want := "mail from 192.0.2.10 fails SPF as lab.example at many receivers: more than two names in front of ip4:192.0.2.10 " +
		"in the record have no address of that family, and receivers stop there (RFC 7208 section 4.6.4)"
	if len(notes) != 1 || notes[0].Text != want || notes[0].Action != "write ip4:192.0.2.10 right behind v=spf1 in it" {
		t.Errorf("notes %+v", notes)
	}
	if !strings.HasPrefix(records.SPF(in.Spec.Host, in.Spec.Domains[0]), "v=spf1 ip4:192.0.2.10 ") {
		t.Errorf("ours does not begin with our address: %s", records.SPF(in.Spec.Host, in.Spec.Domains[0]))
	}
}
