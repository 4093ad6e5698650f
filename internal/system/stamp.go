package system

import (
	"golang.org/x/sys/unix"

	"mailsetup/internal/state"
)

// Stamp is what the kernel changes whenever it changes a file, its owner or its
// mode: none of it can be set back, inode(7).
type Stamp struct {
	Inode             uint64
	Size              int64 // octets
	Modified, Changed int64 // nanoseconds since 1970
}

// Stamp looks at a regular file. It is false for anything else.
func (h *Host) Stamp(p state.Path) (Stamp, bool) {
	var st unix.Stat_t
	for {
		err := unix.Lstat(string(p), &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return Stamp{}, false
		}
		return Stamp{st.Ino, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim)}, true
	}
}
