package provision

import (
	"context"
	"errors"
	"strings"

	"mailsetup/internal/apt"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/steps/inbound"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// install installs the packages of the plan, gathers the facts again and plans the
// second half. It goes on without a question only if that half adds nothing to what was
// announced.
func (p *Provisioner) install(ctx context.Context, d *Draft) error {
	names := packages(d.Plan)
	if len(names) == 0 {
		return nil
	}
	p.UI.Logf("installing %s", strings.Join(names, ", "))
	// A main.cf that an earlier installation left is the administrator's.
	fresh := d.Input.Facts.Postfix == nil && !exists(p.Machine.Sys, mainCf) && d.Input.Spec.Host.MTA != spec.Exim
	if err := bring(ctx, p, d, names); err != nil {
		return err
	}
	d.installed = names
	if fresh {
		if err := store.New(p.Machine.Sys).MarkFreshPostfix(); err != nil {
			return err
		}
	}
	var units []string
	for _, name := range names {
		if unit := inbound.UnitOf(name); unit != "" {
			units = append(units, unit)
		}
	}
	if err := store.MarkStarted(p.Machine.Sys, units...); err != nil {
		return err
	}
	again := d.Request
	again.Want = d.Input.Spec
	if err := p.Facts.Gather(ctx, &again); err != nil {
		return err
	}
	d.Input.Facts = again.Facts
	standby.Waits(d.Input.Facts.Daemons, standby.Of(names))
	if err := p.readFacts(ctx, d); err != nil {
		return err
	}
	announced := d.Plan
	if err := p.planWithConsents(ctx, d); err != nil {
		return err
	}
	more := plan.Unannounced(announced, d.Plan, d.consented...)
	if len(more) == 0 {
		return nil
	}
	return p.confirmExtra(ctx, d, more)
}

// bring has apt install packages. A mail server among them is not started yet: it would take
// and send mail before anything signs it.
func bring(ctx context.Context, p *Provisioner, d *Draft, names []string) (err error) {
	defer p.UI.Hold()()
	answers := preseed(d.Input)
	switch mta := standby.Of(names); {
	case mta == "":
	case exchangesExim(d.Input.Facts, mta):
		answers.Exim = nil // the configuration stays
	default:
		defer func() { err = errors.Join(err, standby.End(context.WithoutCancel(ctx), p.Machine.Sys)) }()
		if err := standby.Begin(ctx, p.Machine.Sys, mta); err != nil {
			return err
		}
	}
	return apt.Install(ctx, p.Machine.Sys, names, answers, apt.Progress(p.UI.Logf))
}

// exchangesExim reports whether a package is an exim4 that takes the place of another one,
// with its configuration and its queue: it goes on, and nothing has to wait.
func exchangesExim(f state.Facts, mta string) bool {
	return strings.HasPrefix(mta, "exim4-") && (f.Installed["exim4-daemon-light"] || f.Installed["exim4-daemon-heavy"])
}

// preseed answers what the package of a mail server asks that is not here yet.
func preseed(in step.Input) apt.Preseed {
	answers := apt.Preseed{Mailname: signer.Mailname(in)}
	if in.Spec.Host.MTA == spec.Exim {
		answers.Exim, answers.Loopback = []string{in.Spec.Host.Hostname}, in.Spec.Host.SendOnly
		for _, d := range in.Spec.Domains {
			if d.Receive && d.Name != in.Spec.Host.Hostname {
				answers.Exim = append(answers.Exim, d.Name)
			}
		}
	}
	return answers
}

const mainCf state.Path = "/etc/postfix/main.cf"

// confirmExtra asks again if the plan after the installation has more than was
// announced.
func (p *Provisioner) confirmExtra(ctx context.Context, d *Draft, extra []string) error {
	p.UI.Logf("now that the packages are here, the plan needs more than it said:")
	for _, e := range extra {
		p.UI.Logf("  %s", e)
	}
	p.UI.ShowPlan(d.Plan)
	if !p.Options.Interactive {
		return hint.New("run the same command again if this is what you want", "the plan changed after the packages were installed")
	}
	return p.confirm(ctx, d, "Do this as well?")
}
