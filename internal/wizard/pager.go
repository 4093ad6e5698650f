package wizard

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// showDetails shows a long text and returns when it was read: in the pager that PAGER
// names, or Debian's default one. Where there is none, and at plain prompts, it is
// printed.
func showDetails(ctx context.Context, o Options, details Details) error {
	if !o.Accessible && runPager(ctx, details) == nil {
		return ctx.Err()
	}
	_, err := fmt.Fprintln(o.Out)
	if err == nil {
		err = details(o.Out)
	}
	fmt.Fprintln(o.Out)
	return cmp.Or(ctx.Err(), err)
}

// lessOptions are for less(1), where the environment has none: a (short, "s") prompt
// that says how to come back.
const lessOptions = "-Psspace next page, q back to the question$"

// installedPager is Debian's default one, less(1), or more(1), which is always there.
func installedPager() string {
	for _, name := range []string{"pager", "less"} {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	return "more"
}

// runPager runs the pager on the terminal, whose settings it puts back.
func runPager(ctx context.Context, details Details) error {
	argv := strings.Fields(cmp.Or(os.Getenv("PAGER"), installedPager()))
	if len(argv) == 0 {
		return exec.ErrNotFound
	}
	fd, err := syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	tty := os.NewFile(uintptr(fd), "/dev/tty")
	defer tty.Close()
	before, err := term.GetState(fd)
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(fd, before) }()
	piped, w := io.Pipe()
	defer piped.Close() // who leaves the pager has seen enough
	go func() { w.CloseWithError(details(w)) }()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = piped, tty, tty
	cmd.Env = append(os.Environ(), "LESSSECURE=1") // no shell of root's
	if os.Getenv("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS="+lessOptions)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	return cmd.Run()
}
