package main

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"mailsetup/internal/detect"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// lookUp asks DNS what the world sees at the names of the wish, and what the
// SPF records that are there mean for this server.
func (s *session) lookUp(ctx context.Context, w *spec.Spec, names []string, f *state.Facts) {
	q := detect.SPFQuery{Zones: f.Zones, Addresses: w.Host.Addresses, Planned: steps.Planned(*w)}
	policies := []string{}
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		q.Names = append(q.Names, name)
		if name != w.Host.Hostname || w.Has(name) {
			policies = append(policies, "_dmarc."+name)
		}
	}
	for _, d := range s.subjects(w) {
		policies = append(policies, steps.Authorisations(d)...)
		for _, i := range d.SPF.Include {
			if !slices.Contains(q.Includes, i) {
				q.Includes = append(q.Includes, i)
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.Live = detect.Live(ctx, s.asked, append(policies, names...)) })
	wg.Go(func() { f.SPF = detect.SPF(ctx, s.asked, q) })
	wg.Wait()
}
