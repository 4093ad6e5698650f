package safepath_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"mailsetup/internal/safepath"
)

// acl is a list that gives user 1 rights of its own: acl(5) as the kernel has it.
func acl(user, mask uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, user, 1}, {4, 4, ^uint32(0)}, {0x10, mask, ^uint32(0)}, {0x20, 4, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// A file that is replaced keeps its list, and a narrower mode narrows it.
func TestCopyACL(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/main.cf", nil, 0o644))
	if err := unix.Setxattr(dir+"/main.cf", "system.posix_acl_access", acl(6, 6), 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("no ACLs here")
	} else if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(dir + "/main.cf"); err != nil || fi.Mode() != 0o664 {
		t.Fatalf("the mask is the group's part of the mode: %v, %v", fi.Mode(), err)
	}
	for name, tt := range map[string]struct {
		mode fs.FileMode
		want []byte
	}{"same": {0o664, acl(6, 6)}, "narrow": {0o604, acl(6, 0)}, "wide": {0o644, acl(6, 4)}} {
		draft := dir + "/" + name
		must(t, os.WriteFile(draft, nil, 0o600))
		must(t, os.Chmod(draft, tt.mode))
		must(t, safepath.CopyACL(dir+"/main.cf", draft))
		got := make([]byte, 1000)
		n, err := unix.Getxattr(draft, "system.posix_acl_access", got)
		if err != nil || !slices.Equal(got[:n], tt.want) {
			t.Errorf("%s: %x, %v, want %x", name, got[:max(n, 0)], err, tt.want)
		}
		if fi, err := os.Stat(draft); err != nil || fi.Mode() != tt.mode {
			t.Errorf("%s: mode %v, %v", name, fi.Mode(), err)
		}
	}
	private := dir + "/private"
	must(t, os.WriteFile(private, nil, 0o600))
	stop, seen := make(chan bool), make(chan fs.FileMode, 1)
	go func() {
		all := fs.FileMode(0)
		for {
			select {
			case <-stop:
				seen <- all
				return
			default:
				if fi, err := os.Stat(private); err == nil {
					all |= fi.Mode()
				}
			}
		}
	}()
	for range 3_000 {
		must(t, safepath.CopyACL(dir+"/main.cf", private))
	}
	close(stop)
	if got := <-seen; got != 0o600 {
		t.Errorf("for an instant the mode is %v", got)
	}
	must(t, os.WriteFile(dir+"/plain", nil, 0o600))
	must(t, safepath.CopyACL(dir+"/plain", dir+"/missing"))
	must(t, safepath.CopyACL(dir+"/missing", dir+"/missing"))
}
