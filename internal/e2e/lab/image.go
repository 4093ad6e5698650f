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
	"sync"
	"syscall"
	"time"
)

// layers are the directories of an image, uppermost first, held so that no
// other run prunes them while a box stands on them.
type layers struct {
	paths []string
	locks []*os.File
}

func (s *layers) release() {
	for _, f := range s.locks {
		f.Close()
	}
	s.locks = nil
}

// Build makes all images that are missing, the releases side by side. Of Next that is what
// its one test needs.
func (l *Lab) Build(ctx context.Context) error {
	releases := Releases()
	if !slices.Contains(releases, Next) {
		releases = append(slices.Clone(releases), Next)
	}
	errs := make([]error, len(releases))
	var wg sync.WaitGroup
	for i, release := range releases {
		image := Mail
		if !slices.Contains(Releases(), release) {
			image = Bare
		}
		wg.Go(func() {
			s, err := l.layers(ctx, release, image)
			if err == nil {
				s.release()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// layers returns the image's directories, building what is missing.
func (l *Lab) layers(ctx context.Context, release string, image Image) (*layers, error) {
	s := &layers{}
	if err := l.use(ctx, s, release, image); err != nil {
		s.release()
		return nil, fmt.Errorf("image %s of %s: %w", image, release, err)
	}
	return s, nil
}

// use adds the image and those below it to s. One process builds an image,
// others wait for it; a finished image appears under its name at once or not
// at all.
func (l *Lab) use(ctx context.Context, s *layers, release string, image Image) error {
	build, err := lockFile(filepath.Join(l.images(), release+"-"+string(image)+".lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer build.Close()
	name, err := l.imageName(release, image)
	if err != nil {
		return err
	}
	dir := filepath.Join(l.images(), name)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		start := time.Now()
		l.logf("building the %s image of %s ...", image, release)
		if err := l.build(ctx, release, image, dir); err != nil {
			return err
		}
		l.logf("built %s in %.0f s", name, time.Since(start).Seconds())
	} else if err != nil {
		return err
	}
	held, err := lockFile(dir+".used", syscall.LOCK_SH)
	if err != nil {
		return err
	}
	s.paths, s.locks = append(s.paths, dir), append(s.locks, held)
	l.prune(release+"-"+string(image)+"-", name)
	if lower, ok := below[image]; ok {
		return l.use(ctx, s, release, lower)
	}
	return nil
}

// build makes one image below a temporary name and moves it into place.
func (l *Lab) build(ctx context.Context, release string, image Image, dir string) error {
	tmp := filepath.Join(l.images(), ".new-"+release+"-"+string(image))
	if err := removeTree(tmp); err != nil { // of a build that was killed
		return err
	}
	fill := map[Image]func(context.Context, string, string) error{
		Bare: l.bootstrap, Mail: l.installMail, Staged: l.stage, Signing: l.setUp,
	}[image]
	if err := fill(ctx, release, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// bootstrap makes a bare image in dir.
func (l *Lab) bootstrap(ctx context.Context, release, dir string) error {
	hook, err := os.CreateTemp("", "mailsetup-customize-")
	if err != nil {
		return err
	}
	defer os.Remove(hook.Name())
	_, err = hook.WriteString(customize)
	if err := errors.Join(err, hook.Chmod(0o755), hook.Close()); err != nil {
		return err
	}
	argv := []string{
		"--variant=minbase", "--include=" + installed,
		"--skip=cleanup/apt", "--dpkgopt=force-unsafe-io", "--customize-hook=" + hook.Name(),
	}
	if release == Next { // a mirror may keep package lists for longer than they are valid
		argv = append(argv, `--aptopt=Acquire::Check-Valid-Until "false"`)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(argv, release, dir)...)
	cmd.Env = append(os.Environ(), "LAB_CARRIED="+strings.Join(carried(), "\n"),
		"LAB_NETWORK_UNIT="+networkUnit, "LAB_NETWORK_SCRIPT="+networkScript)
	// mmdebstrap undoes its mounts when asked to stop.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 20 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mmdebstrap %s: %w\n%s", release, err, tail(string(out), 30))
	}
	return nil
}

// installMail installs the mail packages in a booted bare box, as an
// administrator would.
func (l *Lab) installMail(ctx context.Context, release, dir string) error {
	return l.grow(ctx, release, Bare, dir, func(b *Box) error {
		argv := append([]string{"sh", "-s"}, MailPackages()...)
		stdout, stderr, code := b.Exec(ctx, strings.NewReader(mailScript), argv...)
		if code != 0 {
			return fmt.Errorf("install %v: exit status %d\n%s", MailPackages(), code, tail(stdout+stderr, 30))
		}
		return nil
	})
}

// stage sets the stage of most tests.
func (l *Lab) stage(ctx context.Context, release, dir string) error {
	if l.t == nil {
		return errors.New("only tests make it")
	}
	return l.grow(ctx, release, Mail, dir, func(b *Box) error {
		b.Named(l.t, Origin)
		b.Install(l.t)
		b.Sink(l.t)
		return nil
	})
}

// setUp runs mailsetup.
func (l *Lab) setUp(ctx context.Context, release, dir string) error {
	return l.grow(ctx, release, Staged, dir, func(b *Box) error {
		stdout, stderr, code := b.Exec(ctx, nil, append([]string{"mailsetup"}, SigningArgs()...)...)
		if code != 0 {
			return fmt.Errorf("mailsetup %v: exit status %d\n%s", SigningArgs(), code, tail(stdout+stderr, 30))
		}
		return nil
	})
}

// grow boots an image, changes it and keeps what that changed as a layer in dir.
func (l *Lab) grow(ctx context.Context, release string, from Image, dir string, change func(*Box) error) (err error) {
	b, err := l.Start(ctx, Options{Release: release, Image: from, Disk: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Kill()) }()
	if err := change(b); err != nil {
		return err
	}
	if err := b.end(ctx, powerOff); err != nil {
		return err
	}
	up := b.up()
	// A server's identity and its log belong to a box, not to the image.
	for _, own := range []string{"etc/machine-id", "var/lib/dbus/machine-id", "var/log/journal", "var/lib/systemd/random-seed"} {
		if err := os.RemoveAll(filepath.Join(up, own)); err != nil {
			return err
		}
	}
	// An overlay must not lose its upper directory while it is mounted.
	if err := syscall.Unmount(b.Root(), 0); err != nil {
		return fmt.Errorf("unmount %s: %w", b.Root(), err)
	}
	return os.Rename(up, dir)
}

// prune removes images that share the prefix with the one to keep and that
// nobody stands on. It is housekeeping: what fails now succeeds another time.
func (l *Lab) prune(prefix, keep string) {
	old, err := filepath.Glob(filepath.Join(l.images(), prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		name := filepath.Base(dir)
		if strings.HasPrefix(name, keep) || strings.HasSuffix(name, ".used") {
			continue
		}
		held, err := lockFile(dir+".used", syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue
		}
		if removeTree(dir) == nil {
			os.Remove(dir + ".used")
			l.logf("removed the old image %s", name)
		}
		held.Close()
	}
}

// removeTree removes a directory unless something is mounted in it: behind
// such a mount may be the host's /dev.
func removeTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	if mountedIn(string(mounts), dir) {
		return fmt.Errorf("remove %s: something is mounted there", dir)
	}
	return os.RemoveAll(dir)
}

// mountedIn tells whether a line of /proc/self/mounts has dir or a directory
// below it as its mount point.
func mountedIn(mounts, dir string) bool {
	return strings.Contains(mounts, " "+dir+" ") || strings.Contains(mounts, " "+dir+"/")
}

// tail returns the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
