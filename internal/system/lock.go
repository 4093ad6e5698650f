package system

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

	"mailsetup/internal/hint"
)

// LockedError says who holds a lock. PID is 0 if that is not known.
type LockedError struct {
	Path    string
	PID     int
	Command string
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("lock %s: held by another process", e.Path)
	}
	return fmt.Sprintf("lock %s: held by process %d (%s)", e.Path, e.PID, e.Command)
}

// Lock takes the lock file, made if missing, and waits for it no longer than
// wait; then the error is a *LockedError. The kernel frees the lock of a
// process that dies. The file stays: removing it would let two processes hold
// two files of one name.
func Lock(ctx context.Context, path string, wait time.Duration) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), privateDir); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: cause(err)}
	}
	// To open a pipe would wait for somebody who writes.
	if fi, err := os.Lstat(path); err == nil && !fi.Mode().IsRegular() {
		return nil, hint.New(fmt.Sprintf("move it away: mv %s %s.old", path, path), "lock %s: is a %s, not a file", path, kindOf(fi.Mode()))
	}
	f := flock.New(path, flock.SetPermissions(privateFile))
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
		return nil, &fs.PathError{Op: "lock", Path: path, Err: cause(err)}
	}
	note := fmt.Sprintf("%d %s\n", os.Getpid(), strings.Join(os.Args, " "))
	if err := os.WriteFile(path, []byte(note), privateFile); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: cause(err)}, f.Close())
	}
	return f.Close, nil
}

// holder reads the holder's name from the lock file.
func holder(path string) error {
	e := &LockedError{Path: path}
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
