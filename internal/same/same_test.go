package same_test

import (
	"slices"
	"testing"

	"mailsetup/internal/same"
	"mailsetup/internal/spec"
)

func domains() []spec.Domain {
	return []spec.Domain{
		{Name: "a.example", TTL: 3600, NS: []string{"ns1.a.example", "ns2.a.example"}},
		{Name: "b.example", Also: []string{"example.net"}, DMARC: spec.DMARC{RUA: []string{"mailto:d@b.example"}}},
	}
}

// A copy shares its lists with the original, a list that was read anew shares nothing, and
// what differs is found in either.
func TestLists(t *testing.T) {
	a := domains()
	for _, other := range []struct {
		name string
		list func() []spec.Domain
	}{
		{"a copy", func() []spec.Domain { return slices.Clone(a) }},
		{"read anew", domains},
	} {
		if !same.Lists(a, other.list()) {
			t.Errorf("%s: not the same", other.name)
		}
		for _, tt := range []struct {
			name   string
			change func(d *spec.Domain)
		}{
			{"a number", func(d *spec.Domain) { d.TTL = 60 }},
			{"a text", func(d *spec.Domain) { d.Name = "c.example" }},
			{"a list that was none", func(d *spec.Domain) { d.Keep = []string{"spf"} }},
			{"a list in a struct", func(d *spec.Domain) { d.SPF.Include = []string{"example.net"} }},
			{"another list of the same length", func(d *spec.Domain) { d.DMARC.RUA = []string{"mailto:e@b.example"} }},
			{"a shorter list", func(d *spec.Domain) { d.Also = nil }},
		} {
			list := other.list()
			if tt.change(&list[1]); same.Lists(a, list) {
				t.Errorf("%s, %s: the same", other.name, tt.name)
			}
		}
		if list := other.list(); same.Lists(a, list[:1]) || same.Lists(a[:1], list) {
			t.Errorf("%s: the same without the last one", other.name)
		}
	}
	if !same.Lists([]spec.Domain{}, nil) {
		t.Error("two empty lists are not the same")
	}
}
