package machine

import (
	"context"
	"errors"
	"os"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/livepath"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

const (
	lockFile           = "/run/mailsetup.lock"
	lockWait           = 5 * time.Second
	unattendedLockWait = 10 * time.Minute
)

// lockAndRecover prepares a change: it locks the running system, deletes the
// messages of a probe that was killed and undoes an interrupted run.
func (m *Machine) lockAndRecover(ctx context.Context) error {
	if m.options.DryRun {
		if open, err := m.Journal.Open(); err == nil && open != nil {
			m.options.Logf("an interrupted run (%s) has to be put back first: what follows is not the whole truth", open.ID)
		}
		return nil
	}
	if m.Image == nil {
		if err := m.lock(ctx); err != nil {
			return err
		}
		if err := livepath.Clean(ctx, m.Sys); err != nil {
			m.options.Logf("messages of a probe that was killed may still be in Postfix's queue: %v", err)
		}
	}
	open, err := m.Journal.Open()
	if err != nil || open == nil || m.options.KeepInterrupted {
		return err
	}
	m.options.Logf("the run of %s (%s) was interrupted; putting the machine back first", open.Started.Format(time.DateTime), open.Command)
	return m.Recover(ctx)
}

// lock takes the lock that only one run can hold on the running system.
func (m *Machine) lock(ctx context.Context) error {
	if os.Geteuid() != 0 {
		remedy := hint.AsRoot
		if m.options.Previews {
			remedy += "\n--dry-run shows the plan without root"
		}
		return hint.New(remedy, "changing this machine needs root")
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		remedy := "run it on a system that systemd has booted"
		if m.options.Previews {
			remedy = "--dry-run and --root DIR work without it"
		}
		return hint.New(remedy, "systemd is not running here")
	}
	release, err := takeLock(ctx, lockFile, lockWait)
	if busy := (*lockedError)(nil); errors.As(err, &busy) && m.options.Unattended {
		if m.options.Interactive {
			m.options.Logf("%v; waiting for it to end", busy)
		}
		release, err = takeLock(ctx, lockFile, unattendedLockWait)
	}
	switch busy := (*lockedError)(nil); {
	case errors.As(err, &busy):
		return hint.New("wait for it to end", "%w", err)
	case err != nil:
		return err
	}
	m.release = release
	return nil
}

// Recover undoes an interrupted run.
func (m *Machine) Recover(ctx context.Context) error {
	if m.options.Hold != nil {
		defer m.options.Hold()()
	}
	report, err := apply.Recover(ctx, m.Sys, m.Journal, apply.Options{Now: m.options.Clock, Progress: m.progress.Print})
	if err := errors.Join(err, m.SaveOwners()); err != nil {
		return err
	}
	m.options.Logf("%s", text.Wrap(report.String(), 78))
	return nil
}

// ApplyOptions are those of the next run of this command.
func (m *Machine) ApplyOptions() apply.Options {
	return apply.Options{Command: m.options.Command, Now: m.options.Clock, ID: m.NextRun(), Progress: m.progress.Print}
}

// LeftChanged reports whether an error says that a run failed and that the machine
// could not be put back completely.
func LeftChanged(err error) bool {
	var notUndone *apply.NotUndoneError
	return errors.As(err, &notUndone)
}

// Hints returns what to type about an error of a command.
func Hints(err error) []string { return system.Hints(err) }
