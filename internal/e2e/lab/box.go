package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say which server to boot. The zero value of each but Release is
// usable.
type Options struct {
	Release string
	// Image is Bare when empty.
	Image Image
	// Hostname is mail.lab.example when empty.
	Hostname string
	// Addresses of the server with their prefix length, the main one first:
	// documentation addresses outside 198.51.100.0/24, which is the world's,
	// or private ones, also of the networks of Letter.Client. Empty means
	// 192.0.2.10/32.
	Addresses []string
	// Binds are host paths shown in the box, read-only: "HOST:BOX".
	Binds []string
	// Disk is for a box whose files are on the disk of MAILSETUP_LAB, which
	// tells what writing costs, not in memory.
	Disk bool
	// Prepare may change the root file system before the first boot.
	Prepare func(root *os.Root) error
}

const (
	// SinkAddr is where the sink takes mail for remote.example.
	SinkAddr = "192.0.2.25"
	// OutsideAddr belongs to nobody the server knows, like all the others
	// that begin with 198.51.100.
	OutsideAddr = "198.51.100.7"
	// OutsideAddr6 is the same with IPv6, for a server that has IPv6.
	OutsideAddr6 = "2001:db8:99::7"
	// LANAddr is a neighbour on a private network, like all the others that
	// begin with 10.20.30.
	LANAddr = "10.20.30.40"
	// SinkAddr6 is where the sink listens too. RemoteZone names it for servers
	// that have no IPv4.
	SinkAddr6 = "2001:db8::25"
)

func (o Options) withDefaults() Options {
	if o.Image == "" {
		o.Image = Bare
	}
	if o.Hostname == "" {
		o.Hostname = "mail.lab.example"
	}
	if len(o.Addresses) == 0 {
		o.Addresses = []string{"192.0.2.10/32"}
	}
	return o
}

// Box is one running Debian server.
type Box struct {
	// Name is unique on the host.
	Name string
	// Addr is the server's own address, the first of its Options.
	Addr string
	// Hostname is the server's full name.
	Hostname string

	lab     *Lab
	opts    Options
	dir     string
	image   *layers
	cgroups []string
	nspawn  *process
	leader  int
	watch   *exec.Cmd
	hold    io.Closer // the watcher tears down when this is closed
	zones   []zone
	cables  []*cable
	python  *python
	listed  bool // apt's lists have only what is installed and carried
}

// Boot starts a box for a test and removes it afterwards. A failed test with
// MAILSETUP_KEEP=1 in the environment leaves it running and tells how to enter
// and remove it.
func Boot(t T, opts Options) *Box {
	t.Helper()
	l, err := Open()
	if err != nil {
		t.Fatalf("%v", err)
	}
	l.Log, l.t = t.Logf, t
	if err := l.room(t.Context()); err != nil {
		t.Fatalf("wait for room for a box: %v", err)
	}
	b, err := l.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("MAILSETUP_KEEP") == "1" {
			if err := b.keep(); err == nil {
				t.Logf("kept %s; enter it:\n  %s\nremove it:\n  go run ./internal/e2e/cmd/lab clean %s",
					b.Name, strings.Join(b.Enter(), " "), b.Name)
				return
			}
		}
		if err := b.Kill(); err != nil {
			t.Logf("%v", err)
		}
	})
	if b.staged() {
		b.served(t, Origin)
	}
	return b
}

// staged tells whether the box's image has what Named, Sink and Install do.
func (b *Box) staged() bool { return b.opts.Image == Staged || b.opts.Image == Signing }

// keep lets the watcher leave the box alone.
func (b *Box) keep() error {
	if err := os.WriteFile(filepath.Join(b.dir, "keep"), nil, 0o644); err != nil {
		return err
	}
	return b.Kill()
}

// Kill ends the box at once, as if the power failed, and removes all of it.
func (b *Box) Kill() error {
	if b.hold == nil {
		return nil
	}
	b.hold.Close()
	b.hold = nil
	err := b.watch.Wait()
	b.image.release()
	if err != nil {
		return fmt.Errorf("remove box %s: %w (go run ./internal/e2e/cmd/lab clean %s)", b.Name, err, b.Name)
	}
	return nil
}

// Root is the path of the box's root file system on the host. Symbolic links
// below it may point out of it: prefer Read and Write.
func (b *Box) Root() string { return filepath.Join(b.dir, "root") }

// Enter is the command that opens a shell in the box, or runs argv in it.
func (b *Box) Enter(argv ...string) []string {
	if len(argv) == 0 {
		argv = []string{"bash", "-l"}
	}
	term := os.Getenv("TERM")
	if term == "" {
		term = "dumb"
	}
	return append(b.enter(term), argv...)
}

func (b *Box) enter(term string) []string {
	return []string{
		"nsenter", "-t", strconv.Itoa(b.leader), "-a", "env", "-i", "-C", "/root",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", "TERM=" + term,
	}
}

// Command prepares argv to be run in the box in a process group of its own,
// all of which is killed when ctx ends.
func (b *Box) Command(ctx context.Context, argv ...string) *exec.Cmd {
	full := append(b.enter("dumb"), argv...)
	cmd := exec.CommandContext(ctx, full[0], full[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Exec runs argv in the box. The code is -1, with the reason at the end of
// stderr, when the command did not run or did not end by itself.
func (b *Box) Exec(ctx context.Context, stdin io.Reader, argv ...string) (stdout, stderr string, code int) {
	cmd := b.Command(ctx, argv...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return out.String(), errs.String() + err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Run runs argv in the box and returns its standard output. Any exit status
// but zero fails the test.
func (b *Box) Run(t T, argv ...string) string {
	t.Helper()
	stdout, stderr, code := b.Exec(t.Context(), nil, argv...)
	if code != 0 {
		t.Fatalf("%s: %v: exit status %d\nstdout: %s\nstderr: %s", b.Name, argv, code, stdout, stderr)
	}
	return stdout
}

// Restart restarts a service, however often somebody did so in the last seconds:
// fast machines reach the limit of systemd.unit(5), StartLimitBurst.
func (b *Box) Restart(t T, unit string) {
	t.Helper()
	b.Run(t, "systemctl", "reset-failed", unit)
	b.Run(t, "systemctl", "restart", unit)
}

// Sh runs a shell script in the box, ending at the first command that fails.
func (b *Box) Sh(t T, script string) string {
	t.Helper()
	return b.Run(t, "sh", "-euc", script)
}
