package system

import (
	"golang.org/x/sys/unix"

	"mailsetup/internal/state"
)

// Stamp changes with a file, its owner and its mode, inode(7). Nobody can set the
// change time back.
type Stamp struct {
	Inode             uint64
	Size              int64 // octets
	Modified, Changed int64 // nanoseconds since 1970
}

// Stamp returns the stamp of a regular file, false for anything else.
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
