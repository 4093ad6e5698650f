package main

import (
	"context"

	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
)

// provision is the tail of every command that changes what the machine is for:
// plan, show, confirm, carry out, print what is left.
func (s *session) provision(ctx context.Context, r provision.Request) error {
	p := s.provisioner()
	r.OnDisk, r.Keys.OnDisk = s.memory.domains, s.memory.keys
	d, err := p.Plan(ctx, r)
	if err != nil {
		return err
	}
	if s.o.dryRun {
		return s.showDry(d.Plan)
	}
	if !d.Plan.Empty() {
		if err := p.Confirm(ctx, d); err != nil {
			return err
		}
	}
	res, err := p.Run(ctx, d)
	if err != nil {
		return err
	}
	return s.printRun(res)
}

// provisioner carries requests out on the machine of the session.
func (s *session) provisioner() *provision.Provisioner {
	return &provision.Provisioner{
		Machine: s.Machine, UI: ui{s}, Facts: s.sources(),
		Selectors: s.selectors,
		Options: provision.Options{
			DryRun: s.o.dryRun, Install: s.o.install, OverwriteDrift: s.o.overwriteDrift, MakeKeys: s.o.root == "" || s.o.rootKeys,
			Consents: s.o.consents, Interactive: s.asks(),
		},
	}
}

// sources finds the facts of runs.
func (s *session) sources() *provision.Sources {
	return &provision.Sources{Machine: s.Machine, Collector: s.collector(), Logf: s.c.say}
}

// unprivileged reports whether what only root may read is taken for missing.
func (s *session) unprivileged() bool {
	_, unprivileged := s.Sys.(machine.Unprivileged)
	return unprivileged
}
