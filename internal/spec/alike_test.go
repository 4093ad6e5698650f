package spec_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// Of domains that all say the same, each has the faults that it has: those that all have, and
// those of its name.
func TestFaultsOfDomainsThatSayTheSame(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(all []spec.Domain)
		want   []string
	}{
		{"none", func([]spec.Domain) {}, nil},
		{"all have it", func(all []spec.Domain) {
			for i := range all {
				all[i].KeyBits = 7
			}
		}, []string{"a.example: key_bits", "b.example: key_bits", "c.example: key_bits"}},
		{"the last one has it", func(all []spec.Domain) { all[2].DMARC.Policy = "perhaps" }, []string{"c.example: dmarc.policy"}},
		{"a name in capitals", func(all []spec.Domain) { all[1].Name = "B.example" }, []string{"domain"}},
		{"the name of the key is too long for one", func(all []spec.Domain) {
			for i := range all {
				all[i].Selector = "a23456789012345678901234567890.b23456789012345678901234567890.c23456789012345678901234567890.d23456789012345678901234567890"
			}
			all[2].Name = "c23456789012345678901234567890.c23456789012345678901234567890.c23456789012345678901234567890.c23456789012345678901234567890.example"
		}, []string{"c23456789012345678901234567890.c23456789012345678901234567890.c23456789012345678901234567890.c23456789012345678901234567890.example: selector"}},
		{"all include one of them", func(all []spec.Domain) {
			for i := range all {
				all[i].SPF.Include = []string{"b.example"}
			}
		}, []string{"b.example: spf.include"}},
		{"all leave it to one of them", func(all []spec.Domain) {
			for i := range all {
				all[i].SPF.Redirect = "c.example"
			}
		}, []string{"c.example: spf.redirect"}},
	} {
		s := spec.Spec{Host: spec.Host{
			Version: 1, Hostname: "mail.a.example", Domain: "a.example", DNS: spec.DNSManual, MilterDefaultAction: "tempfail",
			Addresses: []netip.Addr{netip.MustParseAddr("8.8.8.8")},
		}}
		s.Host.Defaults.KeyBits, s.Host.Defaults.TTL, s.Host.Defaults.Selector = 2048, 3600, "s1"
		s.Host.Defaults.SPF.All, s.Host.Defaults.DMARC.Policy = "softfail", "none"
		for _, name := range []string{"a", "b", "c"} {
			s.Domains = append(s.Domains, spec.Domain{
				Name: name + ".example", Selector: "s1", KeyBits: 2048, TTL: 3600,
				SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"},
			})
		}
		before := fields(s.Validate())
		tt.change(s.Domains)
		var got []string
		for _, f := range fields(s.Validate()) {
			if !slices.Contains(before, f) {
				got = append(got, f)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: faults of %q, want %q", tt.name, got, tt.want)
		}
		if tt.want == nil && len(before) > 0 {
			t.Logf("the host has faults of %q", before)
		}
	}
}

// fields are those that findings are about.
func fields(list syntax.Findings) []string {
	var all []string
	for _, f := range list {
		all = append(all, f.Field)
	}
	return all
}
