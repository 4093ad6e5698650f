package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/process"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// unitRoots are where an administrator's unit files live, the strongest first:
// a file hides one of the same name in a later place, systemd.unit(5).
var unitRoots = []state.Path{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"}

// packageUnits is where packages put theirs. Of the unit itself it is the package's, and
// drop-ins there count as others do.
const packageUnits state.Path = "/usr/lib/systemd/system"

// UnitFiles finds the unit file that hides the package's, "" for none, and the
// drop-ins in the order in which systemd reads them.
func UnitFiles(r system.Reader, unit string) (whole state.Path, dropIns []state.Path, err error) {
	byName := map[string]state.Path{}
	for _, root := range append(unitRoots[:len(unitRoots):len(unitRoots)], packageUnits) {
		o, err := r.Read(root.Join(unit))
		if err != nil {
			return "", nil, err
		}
		if root != packageUnits && whole == "" && o.Kind != state.Absent && !hidesAnother(o) {
			whole = root.Join(unit)
		}
		names, err := r.List(root.Join(unit + ".d"))
		if err != nil {
			return "", nil, err
		}
		for _, name := range names {
			if _, hidden := byName[name]; !hidden && strings.HasSuffix(name, ".conf") {
				byName[name] = root.Join(unit+".d", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		o, err := r.Read(byName[name])
		if err != nil {
			return "", nil, err
		}
		if !hidesAnother(o) {
			dropIns = append(dropIns, byName[name])
		}
	}
	return whole, dropIns, nil
}

// hidesAnother tells whether a file is there to hide another one only.
func hidesAnother(o state.Object) bool {
	return o.Kind == state.Symlink && string(o.Content) == "/dev/null"
}

// ProcessArguments returns those of the main process of a unit that runs, nil
// where there is none or it cannot be looked at.
func ProcessArguments(r system.Reader, status system.UnitStatus) []string {
	if status.Active != "active" || status.PID == 0 {
		return nil
	}
	line, err := r.Read(state.Path(fmt.Sprintf("/proc/%d/cmdline", status.PID)))
	if err != nil || len(line.Content) == 0 {
		return nil
	}
	return strings.Split(string(line.Content), "\x00")
}

// Suspended reports whether the main process of a unit that runs was stopped by a signal
// (SIGSTOP): its sockets are there, and nobody answers. /proc/PID/stat, proc(5).
func Suspended(r system.Reader, status system.UnitStatus) bool {
	if status.Active != "active" || status.PID == 0 {
		return false
	}
	stat, err := r.Read(state.Path(fmt.Sprintf("/proc/%d/stat", status.PID)))
	return err == nil && process.IsSuspended(stat.Content)
}
