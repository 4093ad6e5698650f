package detect

import (
	"context"
	"fmt"

	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/signer"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// daemons finds out whether the units that mail needs run, and start at boot. Files do
// not tell.
func daemons(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	all, ending := map[string]state.Daemon{}, map[string]bool{}
	for _, d := range []struct{ program, unit string }{
		{"postfix", postfix.MainUnit},
		{"postfix", postfix.InstanceUnit},
		{"opendkim", signer.Unit},
		{"exim4-base", eximconf.Unit},
		{"bind9", zones.NamedUnit},
		{"opendmarc", "opendmarc.service"},
		{"rspamd", "rspamd.service"},
		{"unbound", "unbound.service"},
	} {
		if !f.Installed[d.program] {
			continue
		}
		status, err := s.Status(ctx, d.unit)
		if err != nil {
			return fmt.Errorf("look at unit %s: %w", d.unit, err)
		}
		if status.Load == "loaded" || status.Load == "masked" {
			all[d.unit], ending[d.unit] = daemon(status), status.Active == "deactivating"
		}
	}
	// Debian 12 has no main process for the instance, so one that was killed seems
	// to have ended in good order. postfix.service, a oneshot, is stopped on purpose.
	if instance, known := all[postfix.InstanceUnit]; known {
		instance.Stopped = !instance.Running && all[postfix.MainUnit].Stopped
		all[postfix.InstanceUnit] = instance
	}
	if p := f.Postfix; p != nil {
		d, known := all[p.Unit]
		// postfix(1) start, of which systemd knows nothing. A unit that systemd is
		// stopping has its master for some seconds more.
		if known && !d.Running && !ending[p.Unit] && postfix.HasMaster(ctx, s, p) {
			d.Running, d.Stopped = true, false
			all[p.Unit] = d
		}
	}
	f.Daemons = all
	return nil
}

func daemon(s system.UnitStatus) state.Daemon {
	return state.Daemon{
		Running:  s.Active == "active" || s.Active == "activating" || s.Active == "reloading",
		Disabled: s.AtBoot == "disabled",
		Masked:   s.Load == "masked",
		Stopped:  (s.Active == "inactive" && s.Ran || s.Active == "deactivating") && s.Result == "success",
	}
}
