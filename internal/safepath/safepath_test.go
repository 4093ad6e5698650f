package safepath_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mailsetup/internal/hint"
	"mailsetup/internal/safepath"
)

// TestMain is also the daemon's user, who swaps a directory for a link without end.
func TestMain(m *testing.M) {
	if os.Getenv("SWAP_LINK") == "" {
		os.Exit(m.Run())
	}
	for {
		_ = unix.Renameat2(unix.AT_FDCWD, "zones", unix.AT_FDCWD, "link", unix.RENAME_EXCHANGE)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tempDir is a directory that everybody can enter.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "safepath-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Links that root made lead where they lead; what else stands in the way is what the
// kernel says.
func TestLinksOfRoot(t *testing.T) {
	dir := tempDir(t)
	must(t, os.MkdirAll(dir+"/real/below", 0o755))
	must(t, os.Symlink(dir+"/real", dir+"/absolute"))
	must(t, os.Symlink("real/../real", dir+"/relative"))
	must(t, os.Symlink("loop", dir+"/loop"))
	must(t, os.Symlink("/nowhere", dir+"/dangling"))
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	for name, want := range map[string]error{
		"/real/below/a": nil, "/absolute/below/b": nil, "/relative/below/c": nil, "/absolute/../real/./below/d": nil,
		"/loop/e": syscall.ELOOP, "/dangling/f": fs.ErrNotExist, "/file/g": syscall.ENOTDIR, "/missing/h": fs.ErrNotExist, "/absolute": fs.ErrExist,
	} {
		if err := safepath.Mkdir(dir+name, 0o700); !errors.Is(err, want) {
			t.Errorf("mkdir %s: %v, want %v", name, err, want)
		}
	}
	must(t, safepath.Rename(dir+"/absolute/below/a", dir+"/relative/a"))
	if _, err := safepath.OpenFile(dir+"/absolute", os.O_RDONLY, 0); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link at the end: %v", err)
	}
	must(t, safepath.Remove(dir+"/real/a"))
	must(t, safepath.Remove(dir+"/absolute"))
	must(t, safepath.Remove(dir+"/file"))
	for name, want := range map[string]error{"/real": syscall.ENOTEMPTY, "/missing": fs.ErrNotExist} {
		if err := safepath.Remove(dir + name); !errors.Is(err, want) {
			t.Errorf("remove %s: %v, want %v", name, err, want)
		}
	}
}

// machine has files without attributes.
type machine struct{}

func (machine) Attributes(string) uint64 { return 0 }

// immutable has files that chattr(1) made so.
type immutable struct{}

func (immutable) Attributes(string) uint64 { return unix.STATX_ATTR_IMMUTABLE }

// A hint is typed as it stands, whatever the name of the file.
func TestHintForAnImmutableFile(t *testing.T) {
	err := safepath.CheckChangeable(immutable{}, "/srv/the zone's/db")
	if got := hint.Of(err); len(got) != 1 || got[0] != `chattr -i '/srv/the zone'\''s/db'` {
		t.Errorf("%v, hints %q", err, got)
	}
}

// A link of somebody else's leads nowhere, however often a directory stands in its place.
func TestLinksOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs another user")
	}
	dir, victim := tempDir(t), tempDir(t)
	must(t, os.Mkdir(dir+"/zones", 0o755))
	must(t, os.Symlink(victim, dir+"/link"))
	must(t, os.WriteFile(victim+"/kept", nil, 0o600))
	for _, p := range []string{"", "/zones", "/link"} {
		must(t, os.Lchown(dir+p, 1, 1))
	}
	err := safepath.Mkdir(dir+"/link/x", 0o700)
	if foreign := (*safepath.LinkError)(nil); !errors.As(err, &foreign) || err.Error() != "the symbolic link "+dir+"/link belongs to user 1, who could lead it elsewhere" {
		t.Fatalf("mkdir below a link: %v", err)
	}
	must(t, os.Rename(dir+"/link", dir+"/the link"))
	err = safepath.CheckChangeable(machine{}, dir+"/the link/x")
	if foreign := (*safepath.LinkError)(nil); !errors.As(err, &foreign) {
		t.Errorf("a plan below a link: %v", err)
	} else if got, want := foreign.Hints()[0], "ls -l '"+dir+"/the link' shows where it leads; if that is right: chown -h root '"+dir+"/the link'"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	if err := safepath.CheckChangeable(machine{}, dir+"/zones/missing/x"); err != nil {
		t.Errorf("a plan below a directory to make: %v", err)
	}
	must(t, os.Rename(dir+"/the link", dir+"/link"))
	swap := exec.Command("/proc/self/exe")
	swap.Dir, swap.Env = dir, append(os.Environ(), "SWAP_LINK=1")
	swap.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
	if err := swap.Start(); err != nil {
		t.Skip("another user cannot run the test:", err)
	}
	defer func() { _ = swap.Process.Kill(); _ = swap.Wait() }()
	const attempts = 2_000
	refused, done := 0, 0
	for range attempts {
		f, err := safepath.OpenFile(dir+"/zones/draft~", os.O_WRONLY|os.O_CREATE, 0o600)
		if err == nil {
			err = errors.Join(f.Chown(1, 1), f.Close())
		}
		for _, e := range []error{err, safepath.Rename(dir+"/zones/draft~", dir+"/zones/kept"), safepath.Mkdir(dir+"/zones/d", 0o700), safepath.Remove(dir + "/zones/d"), safepath.Remove(dir + "/zones/kept")} {
			if errors.As(e, new(*safepath.LinkError)) {
				refused++
			} else if e == nil {
				done++
			}
		}
	}
	t.Logf("%d calls done, %d refused", done, refused)
	if refused == 0 || done == 0 {
		t.Errorf("%d calls done, %d refused: nobody swapped anything", done, refused)
	}
	if left, err := os.ReadDir(victim); err != nil || len(left) != 1 || left[0].Name() != "kept" {
		t.Errorf("behind the link: %v, %v", left, err)
	}
	fi, err := os.Lstat(victim + "/kept")
	if err != nil || fi.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("a file behind the link changed: %v", err)
	}
}
