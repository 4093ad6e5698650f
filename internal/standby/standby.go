// Package standby keeps a mail server that apt installs from taking and from sending mail
// before it is set up.
package standby

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// units are those of the mail servers that mailsetup installs, by package. On Debian 12
// Postfix runs in a unit of its instance.
var units = map[string][]string{
	"postfix":            {"postfix.service", "postfix@-.service"},
	"exim4-daemon-light": {eximconf.Unit},
	"exim4-daemon-heavy": {eximconf.Unit},
}

// held is Exim's option for mail that waits: a daemon is not needed for a message to leave,
// sendmail(8) is Exim itself. The macro says whose it is in what is generated of the files,
// where no comment is left.
const held = "# Written by mailsetup while apt installs exim4: mail waits.\n" + marker + " = yes\nhold_domains = *\n"

const marker = "MAILSETUP_WAITS"

// DropIn returns the file that keeps a unit from being started. It is gone after a reboot.
func DropIn(unit string) state.Path {
	return state.Path("/run/systemd/system/" + unit + ".d/mailsetup-installs.conf")
}

// Of returns the mail server among packages, "" for none.
func Of(packages []string) string {
	for _, p := range packages {
		if units[p] != nil {
			return p
		}
	}
	return ""
}

// Service returns what systemctl(1) calls a mail server.
func Service(mta string) string { return strings.TrimSuffix(units[mta][0], ".service") }

// Waits marks the units of a mail server that does not run as new: nobody has stopped them, it
// was not started. A unit of its own that ran earlier was stopped with the package.
func Waits(daemons map[string]state.Daemon, mta string) {
	for _, unit := range units[mta] {
		if d, known := daemons[unit]; known && !d.Running && !d.Masked {
			d.New, d.Stopped = true, false
			daemons[unit] = d
		}
	}
}

// Begin has systemd not start a mail server that its package is about to start, as long as
// this process is there, and has an exim4 made to hold all mail. It is taken back by End as
// soon as apt is done: what was made of the files by then goes on holding mail until the unit
// is started.
func Begin(ctx context.Context, sys system.System, mta string) error {
	for _, unit := range units[mta] {
		text := fmt.Sprintf("# Written by mailsetup while apt installs %s: it is started once it is set up.\n[Unit]\nConditionPathExists=!/proc/%d/stat\n", mta, os.Getpid())
		if err := replace(sys, DropIn(unit), state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(text)}); err != nil {
			return err
		}
	}
	if strings.HasPrefix(mta, "exim4-") {
		path, err := holdsIn(sys)
		if err != nil {
			return err
		}
		o, err := sys.Read(path)
		if err != nil {
			return err
		}
		if o.Kind == state.Absent {
			o = state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root}
		}
		o.Content = append([]byte(held), o.Content...)
		if err := replace(sys, path, o); err != nil {
			return err
		}
	}
	return sys.DaemonReload(ctx)
}

// holdsIn returns the file that an exim4 which is installed will read. An earlier
// installation may have left its configuration.
func holdsIn(sys system.System) (state.Path, error) {
	o, err := sys.Read(eximconf.DebconfFile)
	if err == nil && eximconf.Values(string(o.Content))["dc_use_split_config"] == "true" {
		return eximconf.SplitFile, nil
	}
	return eximconf.MacrosFile, err
}

// Left returns the mail server, as systemctl(1) calls it, that a run left waiting when it was
// killed, "" for none.
func Left(sys system.Reader) string {
	for _, path := range []state.Path{eximconf.MacrosFile, eximconf.SplitFile, eximconf.Generated} {
		if o, err := sys.Read(path); err == nil && bytes.Contains(o.Content, []byte(marker+" = ")) {
			return Service("exim4-daemon-light")
		}
	}
	for _, mta := range slices.Sorted(maps.Keys(units)) {
		for _, unit := range units[mta] {
			if o, err := sys.Stat(DropIn(unit)); err == nil && o.Kind == state.Regular {
				return Service(mta)
			}
		}
	}
	return ""
}

// Release starts a mail server that Left has named, after End, and reports whether it had to:
// a run may have set it up since, and it may not be here at all.
func Release(ctx context.Context, sys system.System, service string) (bool, error) {
	unit := service + ".service"
	is, err := sys.Status(ctx, unit)
	switch {
	case err != nil:
		return false, err
	case is.Load != "loaded" || is.Active == "active" && Left(sys) == "":
		return false, nil
	case is.Active == "active":
		return true, sys.Act(ctx, unit, state.Restart, "")
	}
	return true, sys.Act(ctx, unit, state.Start, "")
}

// End takes back what Begin did, also in a run that was killed.
func End(ctx context.Context, sys system.System) error {
	var errs []error
	began := false
	for _, list := range units {
		for _, unit := range list {
			path := DropIn(unit)
			if o, err := sys.Stat(path); err != nil || o.Kind != state.Regular {
				continue
			}
			began = true
			errs = append(errs, sys.Remove(path))
			_ = sys.Remove(path.Dir()) // unless somebody else has a file there
		}
	}
	for _, path := range []state.Path{eximconf.MacrosFile, eximconf.SplitFile} {
		o, err := sys.Read(path)
		if err != nil || o.Kind != state.Regular || !bytes.HasPrefix(o.Content, []byte(held)) {
			continue
		}
		if o.Content = o.Content[len(held):]; len(o.Content) == 0 {
			errs = append(errs, sys.Remove(path))
			continue
		}
		errs = append(errs, replace(sys, path, o))
	}
	if began {
		errs = append(errs, sys.DaemonReload(ctx))
	}
	return errors.Join(errs...)
}

// replace puts a file in place at once.
func replace(sys system.System, path state.Path, o state.Object) error {
	if err := makeParents(sys, path); err != nil {
		return err
	}
	next := path.Dir().Join("." + path.Base() + ".mailsetup")
	if is, err := sys.Stat(next); err == nil && is.Kind == state.Regular {
		if err := sys.Remove(next); err != nil {
			return err
		}
	}
	if err := sys.Create(next, o); err != nil {
		return err
	}
	return sys.Rename(next, path)
}

// makeParents makes the directories above a path.
func makeParents(sys system.System, path state.Path) error {
	dir := path.Dir()
	if is, err := sys.Stat(dir); err != nil || is.Kind != state.Absent {
		return err
	}
	if err := makeParents(sys, dir); err != nil {
		return err
	}
	return sys.Mkdir(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
}
