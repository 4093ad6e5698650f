package system

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

func TestReadKinds(t *testing.T) {
	h := NewHost(Options{})
	dir := state.Path(t.TempDir())
	must(t, os.Symlink("/elsewhere", string(dir.Join("link"))))
	must(t, syscall.Mkfifo(string(dir.Join("pipe")), 0o600))
	o, err := h.Read(dir.Join("link"))
	if err != nil || o.Kind != state.Symlink || string(o.Content) != "/elsewhere" {
		t.Errorf("symlink: %+v, %v", o, err)
	}
	o, err = h.Read(dir.Join("pipe"))
	if err != nil || o.Kind != state.Special {
		t.Errorf("pipe: %+v, %v", o, err)
	}
	if err := h.SetMeta(dir.Join("link"), regular("", 0o600)); err == nil {
		t.Error("SetMeta followed or changed a symbolic link")
	}
}

func TestReadTooLarge(t *testing.T) {
	h := NewHost(Options{})
	file := filepath.Join(t.TempDir(), "big")
	write(t, file, "", 0o644)
	must(t, os.Truncate(file, MaxFile+1))
	o, err := h.Read(state.Path(file))
	if err == nil || err.Error() != "read "+file+": larger than 64 MiB" {
		t.Errorf("error %v", err)
	}
	if o.Kind != state.Regular || o.Content != nil {
		t.Errorf("object %q with %d bytes", o.Kind, len(o.Content))
	}
}

func TestUnreadableStillDescribed(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	h := NewHost(Options{})
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "x", 0)
	o, err := h.Read(state.Path(file))
	if !errors.Is(err, fs.ErrPermission) || err.Error() != "read "+file+": permission denied" {
		t.Errorf("error %v", err)
	}
	if o.Kind != state.Regular {
		t.Errorf("kind %q", o.Kind)
	}
}

func TestCreateUnknownUser(t *testing.T) {
	h := NewHost(Options{})
	p := state.Path(t.TempDir()).Join("key")
	o := regular("x", 0o600)
	o.Owner = state.Owner{User: "no-such-user-here", Group: "root"}
	err := h.Create(p, o)
	if err == nil || err.Error() != `create `+string(p)+`: no such user "no-such-user-here"` {
		t.Errorf("error %v", err)
	}
	var unknown *UnknownOwnerError
	if !errors.As(err, &unknown) || unknown.Name != "no-such-user-here" {
		t.Errorf("error is %T", err)
	}
	if got, err := h.Read(p); err != nil || got.Kind != state.Absent {
		t.Errorf("left behind: %+v, %v", got, err)
	}
}

func TestOwners(t *testing.T) {
	needRoot(t)
	h := NewHost(Options{})
	dir := state.Path(t.TempDir())
	o := regular("x", fs.ModeSetgid|0o750)
	o.Owner = state.Owner{User: "daemon", Group: "mail"}
	must(t, h.Create(dir.Join("f"), o))
	want := state.Object{Kind: state.Directory, Mode: fs.ModeSetgid | 0o750, Owner: state.Owner{User: "54321", Group: "mail"}}
	must(t, h.Mkdir(dir.Join("d"), want))
	for name, w := range map[string]state.Object{"f": o, "d": want} {
		got, err := h.Read(dir.Join(name))
		if err != nil || got.Owner != w.Owner || got.Mode != w.Mode {
			t.Errorf("%s: %v %v, %v", name, got.Owner, got.Mode, err)
		}
	}
	// stat(1) is asked, since reading and writing could be wrong alike.
	out, err := exec.Command("stat", "-c", "%u:%G:%a", string(dir.Join("d"))).Output()
	if string(out) != "54321:mail:2750\n" || err != nil {
		t.Errorf("stat says %q, %v", out, err)
	}
}

// A file that takes another one's place has the ACL that its place had.
func TestRenameKeepsACL(t *testing.T) {
	const name = "system.posix_acl_access"
	// Version 2; the owner rw-, user 1 rw-, the group r--, the mask rw-, others r--.
	list := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\x01\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff"
	needRoot(t)
	h, dir := NewHost(Options{}), state.Path(t.TempDir())
	must(t, h.Create(dir.Join("f"), regular("old", 0o644)))
	if err := syscall.Setxattr(string(dir.Join("f")), name, []byte(list), 0); err != nil {
		t.Skipf("no ACLs here: %v", err)
	}
	was, err := h.Read(dir.Join("f"))
	must(t, err)
	next := was
	next.Content = []byte("new")
	must(t, h.Create(dir.Join("f~"), next))
	must(t, h.Rename(dir.Join("f~"), dir.Join("f")))
	is, err := h.Read(dir.Join("f"))
	if err != nil || string(is.Content) != "new" || is.Mode != was.Mode || was.Mode != 0o664 {
		t.Errorf("%+v, %v", is, err)
	}
	got := make([]byte, 100)
	n, err := syscall.Getxattr(string(dir.Join("f")), name, got)
	if err != nil || string(got[:max(n, 0)]) != list {
		t.Errorf("ACL %x, %v", got[:max(n, 0)], err)
	}
}

// A private key is private in every moment at which someone looks.
func TestNeverReadable(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	h := NewHost(Options{})
	p := state.Path(t.TempDir()).Join("key")
	me, err := h.Read(p.Dir())
	must(t, err)
	stop, seen := make(chan struct{}), make(chan fs.FileMode, 1)
	go func() {
		var bits fs.FileMode
		for {
			select {
			case <-stop:
				seen <- bits
				return
			default:
				if fi, err := os.Lstat(string(p)); err == nil {
					bits |= fi.Mode().Perm()
				}
			}
		}
	}()
	for range 300 {
		o := regular(strings.Repeat("k", 1700), 0o600)
		o.Owner = me.Owner
		must(t, h.Create(p, o))
		must(t, h.Remove(p))
	}
	close(stop)
	if bits := <-seen; bits&0o077 != 0 || bits == 0 {
		t.Errorf("modes seen add up to %04o", bits)
	}
}

// tmpfs mounts a small file system of its own.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	dir := state.Path(tmpfs(t, "size=64k"))
	h := NewHost(Options{})
	err := h.Create(dir.Join("big"), regular(strings.Repeat("x", 1<<20), 0o644))
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != "create "+string(dir)+"/big: no space left on device" {
		t.Errorf("create: %v", err)
	}
	must(t, h.Append(dir.Join("log"), []byte("one")))
	if err = h.Append(dir.Join("log"), []byte(strings.Repeat("x", 1<<20))); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("append: %v", err)
	}
	o, err := h.Read(dir.Join("log"))
	if string(o.Content) != "one\n" || err != nil {
		t.Errorf("the log holds %d bytes, %v", len(o.Content), err)
	}
	names, err := h.List(dir)
	if !slices.Equal(names, []string{"log"}) || err != nil {
		t.Errorf("left behind: %q, %v", names, err)
	}
}

func TestReadOnly(t *testing.T) {
	dir := tmpfs(t, "")
	write(t, filepath.Join(dir, "f"), "x", 0o644)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
	h, p := NewHost(Options{}), state.Path(dir)
	for what, err := range map[string]error{
		"create":                h.Create(p.Join("g"), regular("", 0o644)),
		"mkdir":                 h.Mkdir(p.Join("g"), state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root}),
		"remove":                h.Remove(p.Join("f")),
		"rename":                h.Rename(p.Join("f"), p.Join("g")),
		"set owner and mode of": h.SetMeta(p.Join("f"), regular("", 0o600)),
		"append to":             h.Append(p.Join("f"), []byte("x")),
	} {
		if !errors.Is(err, syscall.EROFS) || !strings.HasPrefix(err.Error(), what+" "+dir+"/") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSyncMany(t *testing.T) {
	h := NewHost(Options{})
	dir := state.Path(t.TempDir())
	var paths []state.Path
	for i := range manyFiles {
		p := dir.Join("f" + strings.Repeat("x", i))
		write(t, string(p), "x", 0o644)
		paths = append(paths, p)
	}
	must(t, h.Sync(paths...))
	must(t, h.Sync(append(paths, dir.Join("gone"), dir.Join("no", "where"))...))
	if n := len(syncTargets(append(paths, paths...))); n != manyFiles+1 {
		t.Errorf("%d objects to sync, want each file and the directory once: %d", n, manyFiles+1)
	}
}

func TestAccountsSeeNewUsers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/etc/passwd", "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n", 0o644)
	write(t, dir+"/etc/group", "root:x:0:\n", 0o644)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	a := &accounts{tree: rootTree{root}}
	if _, err := a.resolve(state.Owner{User: "opendkim", Group: "root"}); err == nil {
		t.Fatal("opendkim exists before it was made")
	}
	write(t, dir+"/etc/passwd", "root:x:0:0::/root:/bin/sh\nopendkim:x:104:110::/run/opendkim:/usr/sbin/nologin\njunk\n:x:5:5:\nbig:x:99999999999:1::\n", 0o644)
	write(t, dir+"/etc/group", "root:x:0:\nopendkim:x:110:\n", 0o644)
	must(t, os.Chtimes(dir+"/etc/passwd", time.Time{}, time.Now().Add(-time.Hour)))
	who, err := a.resolve(state.Owner{User: "opendkim", Group: "opendkim"})
	if who != (id{104, 110}) || err != nil {
		t.Errorf("opendkim is %v, %v", who, err)
	}
	o, err := a.owner(0, 7)
	if o != (state.Owner{User: "root", Group: "7"}) || err != nil {
		t.Errorf("0:7 is %v, %v", o, err)
	}
}

// A regular file is read in a way of its own, which has to say the same.
func TestReadTellsEveryBitOfTheMode(t *testing.T) {
	needRoot(t)
	h := NewHost(Options{})
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "x", 0o600)
	must(t, exec.Command("chown", "54321:mail", file).Run())
	must(t, exec.Command("chmod", "7645", file).Run())
	o, err := h.Read(state.Path(file))
	want := state.Object{
		Kind: state.Regular, Mode: fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o645,
		Owner: state.Owner{User: "54321", Group: "mail"}, Content: []byte("x"),
	}
	if diff := cmp.Diff(want, o); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
