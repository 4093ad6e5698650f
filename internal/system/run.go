package system

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/scratch"
)

// programs returns the directories of programs. The caller's PATH is not used: sudo and
// cron have different ones.
func programs() []string {
	return []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"}
}

// killDelay is the time between SIGTERM and SIGKILL for a cancelled program, and the
// time that its children get to close their output after it ended.
const killDelay = 5 * time.Second

// runner is the Runner of the real machine.
type runner struct{ path []string }

// Run implements Runner. The program leads a session of its own, so that Ctrl-C and a
// hang-up reach mailsetup, which decides, and not dpkg; without a terminal it cannot be
// stopped for reading from it in the background.
func (r runner) Run(ctx context.Context, c Command) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("run: no program named")
	}
	file, err := r.lookPath(c.Argv[0])
	if err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	within := cmp.Or(c.Within, DefaultWithin)
	limited, cancel := context.WithTimeoutCause(ctx, within, &SlowError{c.Argv, within})
	defer cancel()
	cmd := exec.CommandContext(limited, file, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=" + strings.Join(r.path, ":"), "LANG=C.UTF-8", "HOME=/root"}, c.Env...)
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = killDelay
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

	var stdout, stderr bytes.Buffer
	live := &tee{to: c.Output}
	cmd.Stdout = cmp.Or(c.Stdout, io.MultiWriter(&stdout, live))
	cmd.Stderr = io.MultiWriter(&stderr, live)
	err = cmd.Run()
	if limited.Err() != nil && cmd.Process != nil {
		// Whoever ignored SIGTERM.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: cmd.ProcessState.ExitCode()}
	return res, verdict(limited, c.Argv[0], cmd.ProcessState, err)
}

// SlowError says that a program did not end in its time, and was ended.
type SlowError struct {
	Argv   []string
	Within time.Duration
}

func (e *SlowError) Error() string { return fmt.Sprintf("it did not end within %v", e.Within) }

// Hints returns the command to look at, if it may be typed again.
func (e *SlowError) Hints() []string {
	if !hint.OnlyReads(e.Argv) || scratch.Names(e.Argv) {
		return nil
	}
	return []string{"see what it waits for: timeout 60 " + hint.Quote(e.Argv...)}
}

// verdict tells an exit status, which is no error, from a program that was cut short.
func verdict(ctx context.Context, name string, ps *os.ProcessState, err error) error {
	if cerr := ctx.Err(); cerr != nil && err != nil {
		if slow := (*SlowError)(nil); errors.As(context.Cause(ctx), &slow) {
			cerr = slow
		}
		return fmt.Errorf("run %s: cut short: %w", name, cerr)
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil // a daemon it started still holds its output
	case errors.As(err, &exit) && exit.Exited():
		return nil
	case ps != nil:
		return fmt.Errorf("run %s: %s", name, ps)
	}
	return fmt.Errorf("run %s: %w", name, cause(err))
}

// lookPath finds a program; exec.LookPath would use the caller's PATH.
func (r runner) lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range r.path {
		file := filepath.Join(dir, name)
		if fi, err := os.Stat(file); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

// tee copies two streams to one writer, which may be nil or fail: the program must not
// die of a closed terminal.
type tee struct {
	mu sync.Mutex
	to io.Writer
}

func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	return len(p), nil
}
