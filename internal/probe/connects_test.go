package probe

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A socket is tried as the user, in the chroot; this process stays root and where it was.
func TestConnectsAs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	queue, err := os.MkdirTemp("/tmp", "queue")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(queue) })
	dir := filepath.Join(queue, "opendkim")
	if err := errors.Join(os.Chmod(queue, 0o755), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "s.sock")
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(at, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, root, socket string
		mode               os.FileMode
		want               error
	}{
		{"open to all", "", at, 0o755, nil},
		{"in the chroot", queue, "/opendkim/s.sock", 0o755, nil},
		{"another path in the chroot", queue, at, 0o755, syscall.ENOENT},
		{"a directory of root's", "", at, 0o700, syscall.EACCES},
		{"nothing there", "", at + "x", 0o755, syscall.ENOENT},
	} {
		if err := os.Chmod(dir, tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := ConnectsAs("nobody", tt.root, tt.socket); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := ConnectsAs("nobody-of-that-name", "", at); err == nil {
		t.Error("a user that is none")
	}
	if err := ConnectsAs("nobody", queue+"x", at); !errors.Is(err, ErrNotTried) {
		t.Errorf("a chroot that is not there: %v", err)
	}
	for range 200 { // on whatever thread
		_ = ConnectsAs("nobody", queue, "/opendkim/s.sock")
	}
	if _, err := os.Stat("/proc/self/root" + at); err != nil || os.Geteuid() != 0 {
		t.Errorf("this process has changed: %v, %d", err, os.Geteuid())
	}
}
