package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Which of the zones holds a name: the closest one, unless it gives the name away.
func TestTheClosestZone(t *testing.T) {
	zones := state.SortZones([]state.Zone{
		{Origin: "example.", Records: []state.Record{{Name: "given.example.", Type: "NS", Value: "ns.vendor.example."}}},
		{Origin: "lab.example."},
		{Origin: ".", Problem: "named.conf cannot be read"}, // it is above every name
	})
	for name, want := range map[string]string{
		"mail.lab.example.": "lab.example.", "lab.example.": "lab.example.", "MAIL.Lab.Example.": "lab.example.",
		"slab.example.": "example.", "x.given.example.": "", "shop.invalid.": ".",
	} {
		zone, ok := zones.Closest(name)
		if !ok {
			zone.Origin = ""
		}
		if zone.Origin != want {
			t.Errorf("%s is in %q, want %q", name, zone.Origin, want)
		}
	}
}

// However many zones there are, that of a name is found by its labels: a look at all of
// them finds the same one.
func TestClosestOfManyZones(t *testing.T) {
	var list []state.Zone
	for i := range 300 {
		list = append(list, state.Zone{Origin: fmt.Sprintf("d%d.example.", i)})
		if i%3 == 0 {
			list = append(list, state.Zone{Origin: fmt.Sprintf("_domainkey.d%d.example.", i)})
		}
	}
	list = append(list, state.Zone{Origin: "d7.example.", View: "other", Problem: "first in its file"}, state.Zone{Origin: "example."})
	zones := state.SortZones(slices.Clone(list))
	for i := range 310 {
		for _, name := range []string{"d%d.example.", "s1._domainkey.d%d.example.", "_dmarc.D%d.example.", "xd%d.example.", "d%d.invalid."} {
			name = fmt.Sprintf(name, i)
			want := ""
			for _, z := range list {
				if len(z.Origin) > len(want) && dnsname.Within(name, z.Origin) {
					want = z.Origin
				}
			}
			if got, ok := zones.Closest(name); got.Origin != want || ok != (want != "") {
				t.Fatalf("%s is in %q, want %q", name, got.Origin, want)
			}
		}
	}
	if z, _ := zones.Closest("d7.example."); z.Problem != "" {
		t.Error("of two zones with one name, the one that cannot be used comes first")
	}
	if n := testing.AllocsPerRun(100, func() { zones.Closest("s1._domainkey.d77.example.") }); n > 0 {
		t.Errorf("%v allocations for one name", n)
	}
	if names := zones.Named("D7.example."); len(names) != 2 || strings.Contains(names[0].View, "other") {
		t.Errorf("the zones d7.example. are %v", names)
	}
}
