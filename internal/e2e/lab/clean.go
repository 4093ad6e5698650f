package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Clean removes boxes by name; without names, those that were kept and those
// whose host went down under them. Boxes in use are left alone unless named.
func (l *Lab) Clean(names ...string) error {
	if len(names) == 0 {
		dirs, err := filepath.Glob(filepath.Join(l.boxes(), "ms-*"))
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if abandoned(dir) {
				names = append(names, filepath.Base(dir))
			}
		}
	}
	for _, name := range names {
		dir := filepath.Join(l.boxes(), name)
		if name != filepath.Base(name) {
			return fmt.Errorf("remove box %q: not a name", name)
		}
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("remove box %s: %w", name, err)
		}
		// The same script as always, with nobody to wait for.
		os.Remove(filepath.Join(dir, "keep"))
		watch := exec.Command("sh", append([]string{"-c", watchScript, "lab-watch", dir}, cgroups(name)...)...)
		if out, err := watch.CombinedOutput(); err != nil {
			return fmt.Errorf("remove box %s: %w\n%s", name, err, out)
		}
		l.logf("removed %s", name)
	}
	return nil
}

// abandoned tells whether nobody will come for the box: it was kept, or its
// machine is not there any more.
func abandoned(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "keep")); err == nil {
		return true
	}
	pid, err := os.ReadFile(filepath.Join(dir, "nspawn.pid"))
	if err != nil {
		return false // about to boot
	}
	_, err = os.Stat("/proc/" + string(pid))
	return err != nil
}
