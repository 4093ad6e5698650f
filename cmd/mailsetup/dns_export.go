package main

import (
	"context"
	"slices"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

// formNames are the forms in which records are printed.
func formNames() []string { return slices.Insert(dnsexport.Formats(), 2, "json") }

// printDNS prints the records, and on the other stream what is to be known.
func (s *session) printDNS(ctx context.Context, in step.Input, domains []spec.Domain, form string) error {
	list := dnsexport.Domains(in, domains)
	if dnsexport.NeedsZones(form) {
		lookup := s.Resolver.ZoneOf
		if s.Image != nil {
			lookup = nil
		}
		dnsexport.FindZones(ctx, list, in.Facts.Zones, lookup)
	}
	if form == "json" {
		return s.printJSON(list)
	}
	for _, d := range list {
		s.about(d.Notes)
	}
	return dnsexport.Write(s.c.out, in, domains, list, form)
}
