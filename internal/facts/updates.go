package facts

import (
	"context"

	"mailsetup/internal/detect"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// LookAtUpdates looks at the zones that dynamic updates go to, and at wildcards of
// those whose records are printed, for steps of a run (nil: all), into the facts of
// their input. The keys of updates are used for asking already, so that one that
// does not fit is known before anything is changed.
func (c *Collector) LookAtUpdates(ctx context.Context, in *step.Input, list []step.Step) error {
	if !publishes(list) {
		return nil
	}
	if list == nil {
		c.LookAtWildcards(ctx, in)
	}
	var wishes []detect.Wish
	for _, p := range dns.Requests(*in) {
		wishes = append(wishes, detect.Wish{
			Domain: p.Domain, Server: p.Update.Server, KeyFile: state.Path(p.Update.KeyFile), Records: p.Records,
		})
	}
	var err error
	if in.Facts.Published, err = detect.Published(c.m.Sys); err != nil {
		return err
	}
	leaving := in.Leaving()
	_, unprivileged := c.m.Sys.(machine.Unprivileged)
	switch {
	case len(wishes)+len(leaving) == 0:
		return nil
	case unprivileged && len(wishes) > 0:
		return hint.New("sudo mailsetup "+c.m.Command()+" --dry-run", "only root may read the keys that zones are asked with (dns rfc2136)")
	case unprivileged:
		return nil
	case c.m.Image != nil && len(wishes) > 0:
		return hint.NewUsage("--dns manual prints the records; or run init on the machine that is made from the tree",
			"--root works on files, and dns rfc2136 changes zones on name servers")
	}
	ask := &nsupdate.Session{Resolver: c.m.Resolver}
	defer ask.Close()
	in.Facts.Updated, err = detect.Updated(ctx, ask, c.m.Sys, wishes, leaving, in.Facts)
	return err
}
