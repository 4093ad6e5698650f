package system

import (
	"golang.org/x/sys/unix"

	"mailsetup/internal/state"
)

// CheckChangeable refuses a path that not even root can replace, as chattr(1) makes them:
// it or its directory is immutable or append-only. Where no machine is behind the files
// there are none.
func CheckChangeable(files any, p state.Path) error {
	h, ok := files.(interface {
		Attributes(p state.Path) uint64
	})
	if !ok {
		return nil
	}
	for _, at := range []state.Path{p, p.Dir()} {
		switch flags := h.Attributes(at); {
		case flags&unix.STATX_ATTR_IMMUTABLE != 0:
			return &UnusableError{Path: at, Text: "is immutable, and would have to be changed", Hint: "chattr -i " + string(at)}
		case flags&unix.STATX_ATTR_APPEND != 0:
			return &UnusableError{Path: at, Text: "is append-only, and would have to be changed", Hint: "chattr -a " + string(at)}
		}
	}
	return nil
}

// Attributes returns the attributes of what stands at a path, statx(2), none if that
// cannot be told.
func (h *Host) Attributes(p state.Path) uint64 {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, string(p), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st); err != nil {
		return 0
	}
	return st.Attributes
}
