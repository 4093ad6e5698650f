package main

import (
	"slices"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

// The records of the host come with its own domain, in whatever zone its name
// is.
func TestZonesThatARunLooksInto(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scope step.Scope
		want  []string
	}{
		{"all domains", step.Scope{}, []string{"lab.example", "mail.hoster.example", "shop.example", "shop.example._report._dmarc.lab.example"}},
		{"the primary domain", step.Only("lab.example"), []string{"lab.example", "mail.hoster.example"}},
		{"another one", step.Only("shop.example"), []string{"shop.example", "shop.example._report._dmarc.lab.example"}},
	} {
		s, _, _, want := bareSession(t)
		want.Host.Hostname = "mail.hoster.example"
		d := want.Domains[0]
		d.Name, d.DMARC.RUA = "shop.example", []string{"mailto:dmarc@lab.example"}
		want.Domains = append([]spec.Domain{}, want.Domains[0], d)
		s.scope = tt.scope
		if got := s.origins(&want); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
