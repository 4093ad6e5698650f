package system

import (
	"context"
	"errors"
	"os"

	"mailsetup/internal/safepath"
	"mailsetup/internal/state"
)

// Host is the machine this program runs on.
type Host struct {
	files
	runner
	*systemd
	accounts *accounts

	// Prober answers Probe. It lives above this package and is put in by the
	// program; without one, every probe is an error.
	Prober Prober
	// Updater answers Update, in the same way.
	Updater Updater

	scratch string
	passed  map[string]bool // checks that need not be repeated, see checker
}

// Options change what a Host stands on. The zero value is right outside tests.
type Options struct {
	// Programs are the directories in which programs are looked for; nil for
	// the system's own.
	Programs []string
	// Scratch is the directory in which copies are made for checkers; "" for
	// the system's temporary directory.
	Scratch string
	// Prober, as in Host.
	Prober Prober
}

var _ System = (*Host)(nil)

// NewHost returns the machine itself. Nothing is opened or asked yet.
func NewHost(opts Options) *Host {
	run := runner{path: opts.Programs}
	if run.path == nil {
		run.path = programs()
	}
	names := &accounts{tree: hostTree{}}
	return &Host{
		files:    files{tree: hostTree{}, owners: hostOwners{names}},
		runner:   run,
		systemd:  &systemd{run: run},
		accounts: names,
		Prober:   opts.Prober,
		scratch:  opts.Scratch,
		passed:   map[string]bool{},
	}
}

// Root reports whether the program runs as the superuser.
func (h *Host) Root() bool { return os.Geteuid() == 0 }

// Rename implements Writer. A main.cf that comes from beside is complete, so that
// Postfix has nothing to wait for.
func (h *Host) Rename(from, to state.Path) error {
	if to.Base() == "main.cf" {
		_ = backdate(string(from)) // Postfix waits
	}
	return h.files.Rename(from, to)
}

// Attributes implements safepath.Attributer.
func (h *Host) Attributes(name string) uint64 { return safepath.Attributes(name) }

// Evaluate implements Reader. Changes of main.cf run postconf(1) on a copy.
func (h *Host) Evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	ed := editor{files: &h.files, run: h.runner, scratch: h.scratch}
	return ed.evaluate(ctx, e, current)
}

// Check implements Checker.
func (h *Host) Check(ctx context.Context, vs []state.Validator, staged map[state.Path]state.Object) error {
	c := checker{files: &h.files, run: h.runner, dir: h.scratch, passed: h.passed}
	return c.check(ctx, vs, staged)
}

// Probe implements Prober.
func (h *Host) Probe(ctx context.Context, p state.Probe) error {
	if h.Prober == nil {
		return errors.New("probe " + string(p.Kind) + ": nobody to ask")
	}
	return h.Prober.Probe(ctx, p)
}

// Update implements Updater.
func (h *Host) Update(ctx context.Context, u state.Update) error {
	if h.Updater == nil {
		return errors.New("update " + u.Origin + ": nobody to send it")
	}
	return h.Updater.Update(ctx, u)
}
