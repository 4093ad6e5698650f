package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/livepath"
	"mailsetup/internal/scratch"
	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

const (
	lockFile           = "/run/mailsetup.lock"
	lockWait           = 5 * time.Second
	unattendedLockWait = 10 * time.Minute
	exclusiveWait      = 2 * time.Second
	releaseWithin      = 2 * time.Minute
)

// lockAndRecover prepares a change: it locks the running system, deletes the
// messages of a probe that was killed and undoes an interrupted run.
func (m *Machine) lockAndRecover(ctx context.Context) error {
	if m.options.DryRun {
		m.tellOfOpenRun(lockFile)
		return nil
	}
	if m.Image == nil {
		if err := m.lock(ctx); err != nil {
			return err
		}
		if err := scratch.RemoveLeftOver(scratch.Dir); err != nil {
			m.options.Logf("directories of a run that was killed may still be there: %v", err)
		}
		if m.killed.waits = standby.Left(m.Sys); m.killed.waits != "" {
			m.options.Logf("a run was killed while apt installed %s, whose mail waits since then", m.killed.waits)
		}
		if err := standby.End(ctx, m.Sys); err != nil {
			m.options.Logf("what kept a mail server from starting while it was installed may still be there: %v", err)
		}
		m.RemoveProbe(ctx)
	}
	open, err := m.Journal.Open()
	if err != nil || open == nil {
		return err
	}
	m.options.Logf("the run of %s (%s) was interrupted; putting the machine back first", open.Started.Format(time.DateTime), open.Command)
	if err := m.recover(ctx); err != nil {
		return err
	}
	m.killed.run = open
	return nil
}

// Waited returns the mail server whose mail waits since a run was killed while apt installed
// it, "" for none. It is started when the machine is closed, if the command has not done that.
func (m *Machine) Waited() string { return m.killed.waits }

// endWait starts a mail server that waits.
func (m *Machine) endWait() {
	if m.killed.waits == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	switch started, err := standby.Release(ctx, m.Sys, m.killed.waits); {
	case err != nil:
		m.options.Logf("%s does not start, and its mail waits: %v\nhint: dpkg --configure -a && systemctl restart %s", m.killed.waits, err, m.killed.waits)
	case started:
		m.options.Logf("%s was started: mail that waited leaves now, unsigned\nhint: mailsetup init", m.killed.waits)
	}
}

// Recovered returns the interrupted run that was taken back when the machine was opened,
// nil if there was none.
func (m *Machine) Recovered() *apply.Entry { return m.killed.run }

// tellOfOpenRun says of a run that has not ended whether it goes on, or has to be put back.
func (m *Machine) tellOfOpenRun(lock string) {
	if mta := standby.Left(m.Sys); mta != "" && m.Image == nil && heldBy(lock) == nil {
		m.options.Logf("a run was killed while apt installed %s, whose mail waits since then\nhint: mailsetup recover", mta)
	}
	open, busy := m.openRun(lock)
	switch {
	case open == nil:
	case busy != nil:
		m.options.Logf("run %s has not ended yet (%v): what follows is not the whole truth", open.ID, busy)
	default:
		m.options.Logf("an interrupted run (%s) has to be put back first: what follows is not the whole truth\nhint: mailsetup recover", open.ID)
	}
}

// OpenRun returns the run that has not ended, nil for none, and who has the lock, nil if
// nobody has and the run was interrupted.
func (m *Machine) OpenRun() (open *apply.Entry, busy error) { return m.openRun(lockFile) }

func (m *Machine) openRun(lock string) (open *apply.Entry, busy error) {
	if open, err := m.Journal.Open(); err != nil || open == nil {
		return nil, nil
	}
	if m.Image == nil && m.release == nil {
		busy = heldBy(lock)
	}
	open, _ = m.Journal.Open() // a run that ended meanwhile was not interrupted
	return open, busy
}

// heldBy returns who holds a lock, nil for nobody. It writes nothing.
func heldBy(path string) error {
	if fi, err := os.Lstat(path); err != nil || !fi.Mode().IsRegular() {
		return nil
	}
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := f.TryRLock()
	_ = f.Close()
	if got || err != nil {
		return nil
	}
	return holder(path)
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

// Exclusively takes the lock of a change for something that changes no files, and waits a
// moment for it.
func (m *Machine) Exclusively(ctx context.Context) (release func() error, err error) {
	if m.release != nil { // it has it
		return func() error { return nil }, nil
	}
	return takeLock(ctx, lockFile, exclusiveWait)
}

// RemoveProbe deletes the messages of a probe that was killed from the queue, for a command
// that changes nothing else. While another run has the lock, they may be its own.
func (m *Machine) RemoveProbe(ctx context.Context) {
	if m.Image == nil && !m.Unprivileged() {
		m.removeProbe(ctx, lockFile)
	}
}

func (m *Machine) removeProbe(ctx context.Context, lock string) {
	if o, err := m.Sys.Read(state.ProbeFile); err == nil && o.Kind == state.Absent {
		return
	}
	if m.release == nil {
		release, err := takeLock(ctx, lock, 0)
		if err != nil {
			return
		}
		defer func() { _ = release() }()
	}
	if err := livepath.Clean(ctx, m.Sys); err != nil {
		m.options.Logf("messages of a probe that was killed may still be in Postfix's queue: %v", err)
	}
}

// recover undoes an interrupted run.
func (m *Machine) recover(ctx context.Context) error {
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

// lockedError says who holds a lock. PID is 0 if that is not known.
type lockedError struct {
	Path    string
	PID     int
	Command string
}

func (e *lockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("lock %s: held by another process", e.Path)
	}
	return fmt.Sprintf("lock %s: held by process %d (%s)", e.Path, e.PID, e.Command)
}

// takeLock takes the lock file, made if missing, and waits for it no longer than
// wait; then the error is a *lockedError. The kernel frees the lock of a
// process that dies. The file stays: removing it would let two processes hold
// two files of one name.
func takeLock(ctx context.Context, path string, wait time.Duration) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: rootCause(err)}
	}
	// To open a pipe would wait for somebody who writes.
	if fi, err := os.Lstat(path); err == nil && !fi.Mode().IsRegular() {
		return nil, hint.New(fmt.Sprintf("move it away: mv %s %s.old", path, path), "lock %s: is a %s, not a file", path, kind(fi.Mode()))
	}
	f := flock.New(path, flock.SetPermissions(0o600))
	got, err := f.TryLock()
	if !got && err == nil && wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		got, err = f.TryLockContext(waiting, 50*time.Millisecond)
	}
	switch {
	case got:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		return nil, holder(path)
	default:
		return nil, &fs.PathError{Op: "lock", Path: path, Err: rootCause(err)}
	}
	note := fmt.Sprintf("%d %s\n", os.Getpid(), strings.Join(os.Args, " "))
	if err := os.WriteFile(path, []byte(note), 0o600); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: rootCause(err)}, f.Close())
	}
	return f.Close, nil
}

// holder reads the holder's name from the lock file.
func holder(path string) error {
	e := &lockedError{Path: path}
	note, err := os.ReadFile(path)
	if err != nil {
		return e
	}
	pid, command, _ := strings.Cut(strings.TrimSpace(string(note)), " ")
	if n, err := strconv.Atoi(pid); err == nil {
		e.PID, e.Command = n, command
	}
	return e
}

// kind names what a mode is of.
func kind(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symbolic link"
	}
	return "device, pipe or socket"
}

// rootCause strips the path and the operation that a library call says.
func rootCause(err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}
