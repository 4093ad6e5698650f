// Package lab boots throw-away Debian servers for tests and demonstrations: a
// root file system made by mmdebstrap, an overlay on top of it, and
// systemd-nspawn with a private network, so that the real daemons run and
// nothing leaves the machine. It needs root on a Debian-like host with
// mmdebstrap and systemd-container.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// T is what the lab needs of a test. *testing.T and *testing.B have it, and so
// has the session of the lab command: one set of helpers serves all.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Failed() bool
	Context() context.Context
}

// Next is the Debian release that is still being made. What is promised of the others
// is to be true of it as well before it is frozen; most tests of it are no part of CI.
const Next = "forky"

// Releases are the Debian releases that tests run on, oldest first: those that
// $MAILSETUP_RELEASES names, or all that the product supports.
func Releases() []string {
	if named := strings.Fields(os.Getenv("MAILSETUP_RELEASES")); len(named) > 0 {
		return named
	}
	return []string{"bookworm", "trixie"}
}

// TakesTurn reports whether number i of what the releases share falls to this one. They
// share where $MAILSETUP_TURNS is set, as `make test` does; elsewhere each has it all.
func TakesTurn(i int, release string) bool {
	all := Releases()
	if os.Getenv("MAILSETUP_TURNS") == "" {
		return slices.Contains(all, release)
	}
	return all[i%len(all)] == release
}

// Lab is the directory that images and running boxes live in.
type Lab struct {
	Dir string
	// Log receives a line for each step that takes long; nil is silent.
	Log func(format string, args ...any)

	t T // the test that needs an image
}

// Open returns the lab in $MAILSETUP_LAB, or in /var/cache/mailsetup-lab. It
// fails where boxes cannot be booted, naming what is missing.
func Open() (*Lab, error) {
	dir := os.Getenv("MAILSETUP_LAB")
	if dir == "" {
		dir = "/var/cache/mailsetup-lab"
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("open lab: booting containers needs root")
	}
	for _, tool := range []string{"mmdebstrap", "systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("open lab: %s is missing (make e2e installs it)", tool)
		}
	}
	l := &Lab{Dir: dir}
	for _, sub := range []string{l.images(), l.boxes(), l.programs()} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return nil, fmt.Errorf("open lab: %w", err)
		}
	}
	return l, nil
}

func (l *Lab) images() string   { return filepath.Join(l.Dir, "images") }
func (l *Lab) boxes() string    { return filepath.Join(l.Dir, "boxes") }
func (l *Lab) programs() string { return filepath.Join(l.Dir, "programs") }

func (l *Lab) logf(format string, args ...any) {
	if l.Log != nil {
		l.Log(format, args...)
	}
}
