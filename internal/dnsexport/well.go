package dnsexport

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

// AllIsWell says that all is well, once it is: what resolvers may still remember, and what
// comes next where somebody publishes the records by hand.
func (r *Records) AllIsWell(ctx context.Context, results []dnscheck.Result) string {
	var b strings.Builder
	resolver := r.machine.Resolver.WithCache() // one that is silent is not waited for each time
	for _, result := range results[:min(len(results), maxAsked)] {
		if old := dnscheck.AskResolver(ctx, resolver, result).Text(time.Now()); old != "" {
			fmt.Fprintln(&b, text.Wrap(text.Printable(old), 78))
		}
	}
	byHand := func(d spec.Domain) bool {
		return r.input.Spec.DNSOf(d) == spec.DNSManual && r.input.Spec.RotationOf(d).Every != spec.Never
	}
	well := "All is well: nothing is left to publish."
	if host := r.input.Spec.Host; slices.ContainsFunc(r.domains, byHand) {
		who := "host.toml has no notify, so nobody is mailed its record then"
		if host.Notify != "" {
			who = host.Notify + " is mailed its record then"
		}
		well += fmt.Sprintf(" Later the key gets a successor (rotate_every); %s.", who)
	}
	fmt.Fprintln(&b, text.Wrap(well, 78))
	return b.String()
}

// maxAsked is of how many domains the resolver is asked.
const maxAsked = 20
