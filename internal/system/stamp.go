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
	return stampBy(unix.Lstat, string(p))
}

// Program returns the stamp of the program that runs: another one may see more in a file that
// stayed the same.
func Program() (Stamp, bool) { return stampBy(unix.Stat, "/proc/self/exe") }

func stampBy(stat func(string, *unix.Stat_t) error, p string) (Stamp, bool) {
	var st unix.Stat_t
	for {
		err := stat(p, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return Stamp{}, false
		}
		return Stamp{st.Ino, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim)}, true
	}
}
