package main

import (
	"cmp"
	"context"
	"slices"

	"mailsetup/internal/detect"
	"mailsetup/internal/machine"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// primaries looks at the zones that dynamic updates go to. Their keys are used
// for asking already, so that one that does not fit is known before anything is
// changed.
func (s *session) primaries(ctx context.Context, in *steps.Input) error {
	if !s.publishes() {
		return nil
	}
	s.covered(ctx, in)
	var wishes []detect.Wish
	for _, p := range steps.Requests(*in) {
		wishes = append(wishes, detect.Wish{
			Domain: p.Domain, Server: p.Update.Server, KeyFile: state.Path(p.Update.KeyFile), Records: p.Records,
		})
	}
	var err error
	if in.Facts.Published, err = detect.Published(s.Sys); err != nil {
		return err
	}
	leaving := steps.Leaving(*in)
	if len(wishes)+len(leaving) == 0 {
		return nil
	}
	switch s.Sys.(type) {
	case machine.Unprivileged:
		if len(wishes) > 0 {
			return fail("sudo mailsetup "+s.o.command+" --dry-run", "only root may read the keys that zones are asked with (dns rfc2136)")
		}
		return nil
	}
	if s.Image != nil && len(wishes) > 0 {
		return usage("--dns manual prints the records; or run init on the machine that is made from the tree",
			"--root works on files, and dns rfc2136 changes zones on name servers")
	}
	ask := &nsupdate.Session{Resolver: s.Resolver}
	defer ask.Close()
	in.Facts.Updated, err = detect.Updated(ctx, ask, s.Sys, wishes, leaving, in.Facts)
	return err
}

// covered looks at the wildcards of zones whose records are printed.
func (s *session) covered(ctx context.Context, in *steps.Input) {
	if s.Image == nil && s.steps == nil {
		in.Facts.Covered = detect.Covered(ctx, cmp.Or(s.asked, s.Resolver), steps.Printed(*in))
	}
}

// publishes reports whether a step of the run is about records.
func (s *session) publishes() bool {
	return s.steps == nil || slices.ContainsFunc(s.steps, func(st steps.Step) bool { return st.DNS })
}
