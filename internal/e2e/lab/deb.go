package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// Deb makes the Debian package of this source tree with a version, as make deb does,
// and returns its path.
func Deb(version string) (string, error) {
	build, _ := programs.LoadOrStore("deb "+version, sync.OnceValues(func() (string, error) { return makeDeb(version) }))
	return build.(func() (string, error))()
}

func makeDeb(version string) (string, error) {
	source, err := sourceTree()
	if err != nil {
		return "", err
	}
	l, err := Open()
	if err != nil {
		return "", err
	}
	held, err := lockFile(filepath.Join(l.programs(), "deb.lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer held.Close()
	dir, err := os.MkdirTemp("", "mailsetup-deb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	made, err := MakeDeb(source, version, dir, "022")
	if err != nil {
		return "", err
	}
	kept := filepath.Join(l.programs(), filepath.Base(made))
	data, err := os.ReadFile(made)
	return kept, errors.Join(err, os.WriteFile(kept, data, 0o644))
}

// MakeDeb runs make deb for this architecture in a source tree, with a umask(1), and
// returns the one package that it leaves in dir.
func MakeDeb(source, version, dir, umask string) (string, error) {
	arch, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		return "", fmt.Errorf("ask dpkg for the architecture: %w", err)
	}
	cmd := exec.Command("sh", "-c", `umask "$0"; exec make -s deb "$@"`, umask, "ARCHES="+string(arch[:len(arch)-1]), "VERSION="+version, "DIST="+dir)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make deb: %w\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "mailsetup_*.deb"))
	if err == nil && len(made) != 1 {
		err = fmt.Errorf("make deb made %q", made)
	}
	if err != nil {
		return "", err
	}
	return made[0], nil
}

// Deb puts the package with a version into the box, and returns its path there.
func (b *Box) Deb(t T, version string) string {
	t.Helper()
	made, err := Deb(version)
	if err != nil {
		t.Fatalf("%v", err)
	}
	data, err := os.ReadFile(made)
	if err != nil {
		t.Fatalf("%v", err)
	}
	path := "/root/" + filepath.Base(made)
	b.Write(t, path, string(data), 0o644)
	return path
}
