package provision

import (
	"context"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/process"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
)

// checkAllowed refuses plans that need a flag: to install packages, or to overwrite an
// edited file.
func (p *Provisioner) checkAllowed(ctx context.Context, d *Draft) error {
	if err := refuseInstall(d, p.Options); err != nil {
		return err
	}
	if err := refuseDrift(d, p.Options, p.UI, p.isDirectory()); err != nil {
		return err
	}
	return ctx.Err()
}

// refuseSuspended refuses a plan that reloads a unit whose process somebody stopped by a
// signal: neither the reload nor its undo would ever be carried out.
func refuseSuspended(ctx context.Context, m *machine.Machine, d *Draft) error {
	if m.Root != "" {
		return nil
	}
	for _, st := range d.Plan.Stages {
		for _, u := range st.Units {
			if u.Action != state.Reload {
				continue
			}
			status, err := m.Sys.Status(ctx, u.Name)
			if err != nil {
				continue // its stage says why
			}
			if err := process.CheckAnswers(u.Name, status.PID); err != nil {
				return hint.NewUsage(strings.Join(hint.Of(err), "\n"), "%s: %w", u.Name, err)
			}
		}
	}
	return nil
}

// refuseInstall refuses to install packages with --no-install.
func refuseInstall(d *Draft, o Options) error {
	for _, st := range d.Plan.Stages {
		if len(st.Packages) > 0 && !o.Install {
			return hint.New("leave --no-install out: what apt would bring and take away is shown before you confirm",
				"not installed, and --no-install forbids it: %s", strings.Join(packageNames(st.Packages), ", "))
		}
	}
	return nil
}

// refuseDrift refuses, without --overwrite-drift, to overwrite files that are not as
// mailsetup left them. A dry run shows them.
func refuseDrift(d *Draft, o Options, ui UI, directory bool) error {
	if len(d.Plan.Drift) == 0 || o.OverwriteDrift || o.DryRun && !o.Strict {
		return nil
	}
	remedy := "mailsetup init --dry-run shows the difference; mailsetup init --overwrite-drift writes our version"
	if d.OnDrift == ShowDrift {
		for _, f := range d.Plan.Drift {
			ui.Logf("%s: %s\n%s", f.Path, f.Why, strings.TrimRight(f.Diff, "\n"))
		}
		remedy = hint.Again("--overwrite-drift") + " writes our version, as the difference above shows; mailsetup rollback brings yours back"
	}
	first := d.Plan.Drift[0]
	if first.Path == signer.ConfFile && first.Foreign() && !directory {
		remedy = "mailsetup init takes it over, with its settings\n" + remedy
	}
	return hint.New(remedy, "%s", first)
}
