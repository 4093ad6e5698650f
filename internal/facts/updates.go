package facts

import (
	"cmp"
	"context"
	"slices"

	"mailsetup/internal/detect/zones"
	"mailsetup/internal/dnshook"
	"mailsetup/internal/hint"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// GatherUpdates adds to the input of the steps (nil: all) the zones that take dynamic
// updates, and of records that are printed what name servers have, and wildcards. It
// already uses the keys of updates for its queries, so a wrong key is found before
// anything is changed.
func (c *Collector) GatherUpdates(ctx context.Context, in *step.Input, list []step.Step) error {
	if !publishes(list) {
		return nil
	}
	if list == nil {
		c.gatherWildcards(ctx, in)
		c.gatherPrinted(ctx, in)
	}
	return c.gatherUpdated(ctx, in)
}

func (c *Collector) gatherUpdated(ctx context.Context, in *step.Input) error {
	var requests []zones.UpdateRequest
	for _, p := range dns.UpdateRequests(*in) {
		requests = append(requests, zones.UpdateRequest{
			Domain: p.Domain, Server: cmp.Or(p.Update.Hook, p.Update.Server), KeyFile: state.Path(p.Update.KeyFile), Records: p.Records,
		})
	}
	var err error
	if in.Facts.Published, err = zones.Published(c.m.Sys); err != nil {
		return err
	}
	leaving := in.Leaving()
	switch {
	case len(requests)+len(leaving) == 0:
		return nil
	case c.m.Unprivileged() && len(requests) > 0:
		return hint.New(hint.AsRoot, "only root may read what zones are asked with (dns rfc2136 or hook)")
	case c.m.Unprivileged():
		return nil
	case c.m.Image != nil && len(requests) > 0:
		return hint.NewUsage("--dns manual prints the records; or run init on the machine that is made from the tree",
			"--root works on files, and dns rfc2136 changes zones on name servers, as a hook does")
	}
	ask := &dnshook.Session{Session: &nsupdate.Session{Resolver: c.m.Resolver}, Sys: c.m.Sys}
	defer ask.Close()
	in.Facts.Updated, err = zones.Updated(ctx, ask, c.m.Sys, requests, leaving, in.Facts)
	return err
}

// RecordsInput returns the input of the steps for the records of domains, without
// changing anything. It logs what cannot be found out without root, or about a zone
// that takes updates, and goes on without it. The facts are those for the request.
func (c *Collector) RecordsInput(ctx context.Context, r Request, domains []spec.Domain, logf func(format string, a ...any)) (step.Input, error) {
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = d.Name
	}
	whole, scope := r.Spec, step.Only(names...)
	r.Spec.Domains = slices.DeleteFunc(slices.Clone(whole.Domains), func(d spec.Domain) bool {
		return d.Name != whole.Host.Domain && !scope.Includes(d.Name)
	})
	g, err := c.Gather(ctx, r)
	if err != nil {
		return step.Input{}, err
	}
	c.fingerprints = nil // nothing will be saved
	in := step.Input{Spec: whole, Facts: g.Facts, Ledger: r.Ledger, Scope: scope, Now: c.m.Now}
	c.gatherWildcards(ctx, &in)
	if c.m.Image == nil && !c.m.Unprivileged() {
		// What a primary has of the administrator's own helps to judge, and can be
		// done without.
		if err := c.gatherUpdated(ctx, &in); err != nil {
			logf("%v", err)
		}
	}
	return in, ctx.Err()
}
