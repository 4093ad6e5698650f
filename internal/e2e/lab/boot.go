package lab

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bootTimeout is generous: a boot takes 1.5 s, on a loaded machine up to a minute.
const bootTimeout = 3 * time.Minute

//go:embed watch.sh
var watchScript string

// process is a child that somebody reaps.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
}

// Start boots a box and waits until its services are up. The caller ends it
// with Kill; if the caller dies first, the box goes by itself.
func (l *Lab) Start(ctx context.Context, opts Options) (*Box, error) {
	opts = opts.withDefaults()
	image, err := l.layers(ctx, opts.Release, opts.Image)
	if err != nil {
		return nil, err
	}
	name := make([]byte, 4)
	rand.Read(name)
	b := &Box{lab: l, opts: opts, image: image, Name: "ms-" + hex.EncodeToString(name), Hostname: opts.Hostname}
	b.Addr, _, _ = strings.Cut(opts.Addresses[0], "/")
	b.dir = filepath.Join(l.boxes(), b.Name)
	b.cgroups = cgroups(b.Name)
	if err := b.guard(); err != nil {
		image.release()
		return nil, fmt.Errorf("boot %s: %w", b.Name, err)
	}
	err = b.mount()
	if err == nil {
		err = b.seed()
	}
	if err == nil {
		err = b.boot(ctx)
	}
	if err == nil && b.staged() {
		b.zones, err = b.stagedZones()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("boot %s: %w", b.Name, err), b.Kill())
	}
	return b, nil
}

// guard starts the watcher, which outlives this process if need be.
func (b *Box) guard() error {
	for _, sub := range []string{"layer", "root"} {
		if err := os.MkdirAll(filepath.Join(b.dir, sub), 0o755); err != nil {
			return err
		}
	}
	b.watch = exec.Command("sh", append([]string{"-c", watchScript, "lab-watch", b.dir}, b.cgroups...)...)
	b.watch.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	hold, err := b.watch.StdinPipe()
	if err != nil {
		return err
	}
	b.hold = hold
	return b.watch.Start()
}

// up is what the box has beside its image: in memory where there is enough. A
// file system that lost many files takes its time for new ones (ext4 passes over
// what was deleted in the last five minutes), and each box leaves thousands.
func (b *Box) up() string { return filepath.Join(b.dir, "layer", "up") }

func (b *Box) mount() error {
	if !b.opts.Disk && memory() > enoughMemory {
		layer := filepath.Join(b.dir, "layer")
		if err := syscall.Mount("tmpfs", layer, "tmpfs", 0, "mode=755,size=4g"); err != nil {
			return fmt.Errorf("mount a tmpfs on %s: %w", layer, err)
		}
	}
	work := filepath.Join(b.dir, "layer", "work")
	for _, dir := range []string{b.up(), work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	o := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(b.image.paths, ":"), b.up(), work)
	if err := syscall.Mount("overlay", b.Root(), "overlay", 0, o); err != nil {
		return fmt.Errorf("mount an overlay on %s: %w (MAILSETUP_LAB must be on a disk file system)", b.Root(), err)
	}
	return nil
}

// seed writes what makes the root file system this server's own.
func (b *Box) seed() error {
	root, err := os.OpenRoot(b.Root())
	if err != nil {
		return err
	}
	defer root.Close()
	short, _, _ := strings.Cut(b.Hostname, ".")
	for name, text := range map[string]string{
		"etc/hostname":      b.Hostname + "\n",
		"etc/hosts":         "127.0.0.1 localhost\n127.0.1.1 " + b.Hostname + " " + short + "\n",
		"etc/resolv.conf":   "nameserver 127.0.0.1\n",
		"etc/lab/addresses": strings.Join(b.opts.Addresses, "\n") + "\n",
	} {
		if err := root.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if b.opts.Prepare != nil {
		return b.opts.Prepare(root)
	}
	return nil
}

// cgroups are the directories a box gets for itself. Boxes that shared one
// would kill each other's services.
func cgroups(name string) []string {
	base := "/sys/fs/cgroup"
	if _, err := os.Stat(base + "/cgroup.controllers"); err == nil {
		return []string{base + "/lab-" + name}
	}
	var dirs []string
	for _, hierarchy := range []string{"systemd", "unified"} {
		if _, err := os.Stat(filepath.Join(base, hierarchy)); err == nil {
			dirs = append(dirs, filepath.Join(base, hierarchy, "lab-"+name))
		}
	}
	return dirs
}

// boot starts nspawn in the box's cgroups and waits for the system to be up.
func (b *Box) boot(ctx context.Context) error {
	if err := b.spawn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	for b.leader = 0; ; {
		if b.leader == 0 {
			b.leader = findLeader(b.nspawn.pid)
			if b.leader != 0 {
				if err := b.note("leader", b.leader); err != nil {
					return err
				}
			}
		}
		if b.leader != 0 && b.listens() {
			out, _, _ := b.Exec(ctx, nil, "systemctl", "is-system-running", "--wait")
			if s := strings.TrimSpace(out); s == "running" || s == "degraded" {
				return nil
			}
		}
		select {
		case <-b.nspawn.done:
			return fmt.Errorf("systemd-nspawn ended\n%s", b.console())
		case <-ctx.Done():
			return fmt.Errorf("wait for the system: %w\n%s", ctx.Err(), b.console())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *Box) spawn() error {
	for _, dir := range b.cgroups {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(b.dir, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	// The process must be in its cgroups before nspawn looks at them.
	join := `for g in $LAB_CGROUPS; do echo $$ >"$g/cgroup.procs" || exit 1; done; exec systemd-nspawn "$@"`
	argv := []string{
		"-c", join, "lab", "-q", "--register=no", "--keep-unit", "-b", "-D", b.Root(), "--machine=" + b.Name,
		"--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
		"--hostname=" + b.Hostname,
	}
	for _, bind := range b.opts.Binds {
		argv = append(argv, "--bind-ro="+bind)
	}
	cmd := exec.Command("sh", argv...)
	cmd.Env = append(os.Environ(), "LAB_CGROUPS="+strings.Join(b.cgroups, " "), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	b.nspawn = &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go func(done chan struct{}) {
		cmd.Wait() // the exit status says nothing that the console does not
		close(done)
	}(b.nspawn.done)
	return b.note("nspawn", cmd.Process.Pid)
}

// note tells the watcher whom to kill.
func (b *Box) note(who string, pid int) error {
	return os.WriteFile(filepath.Join(b.dir, who+".pid"), []byte(strconv.Itoa(pid)), 0o644)
}

func (b *Box) console() string {
	text, err := os.ReadFile(filepath.Join(b.dir, "console.log"))
	if err != nil {
		return err.Error()
	}
	return tail(string(text), 30)
}

// listens tells whether the box's systemd has the socket that systemctl(1) asks:
// before that each question costs a process and has no answer.
func (b *Box) listens() bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(b.leader) + "/root/run/systemd/private")
	return err == nil
}

// findLeader returns the child of nspawn that is PID 1 of the box, or 0. The
// first child is a short-lived helper, so the namespace's own numbering
// decides.
func findLeader(nspawn int) int {
	proc := "/proc/" + strconv.Itoa(nspawn)
	children, _ := os.ReadFile(proc + "/task/" + strconv.Itoa(nspawn) + "/children")
	for _, child := range strings.Fields(string(children)) {
		status, _ := os.ReadFile("/proc/" + child + "/status")
		_, ids, _ := strings.Cut(string(status), "\nNSpid:")
		ids, _, _ = strings.Cut(ids, "\n")
		if inner := strings.Fields(ids); len(inner) > 1 && inner[len(inner)-1] == "1" {
			pid, _ := strconv.Atoi(child)
			return pid
		}
	}
	return 0
}

// powerOff is SIGRTMIN+4, which systemd takes as an order to shut down.
const powerOff = syscall.Signal(34 + 4)

// end signals the box's PID 1 and waits until all of it has ended. The disk
// stays.
func (b *Box) end(ctx context.Context, sig syscall.Signal) error {
	if err := syscall.Kill(b.leader, sig); err != nil {
		return fmt.Errorf("stop %s: %w", b.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	select {
	case <-b.nspawn.done:
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w\n%s", b.Name, ctx.Err(), b.console())
	}
	return errors.Join(os.Remove(filepath.Join(b.dir, "leader.pid")), os.Remove(filepath.Join(b.dir, "nspawn.pid")))
}

// Reboot shuts the server down in order and boots it from the same disk.
func (b *Box) Reboot(t T) { t.Helper(); b.again(t, powerOff) }

// PowerCut ends the server in an instant and boots it from the same disk. What
// was written but not synced is still there: the page cache is the host's.
func (b *Box) PowerCut(t T) { t.Helper(); b.again(t, syscall.SIGKILL) }

func (b *Box) again(t T, sig syscall.Signal) {
	t.Helper()
	if b.python != nil {
		b.python.stop()
		b.python = nil
	}
	err := b.end(t.Context(), sig)
	if err == nil {
		err = b.boot(t.Context())
	}
	if err == nil {
		err = b.replug()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}
