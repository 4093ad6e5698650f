package safepath

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"mailsetup/internal/hint"
)

// Attributer returns the attributes of files. Fakes and images need not have it.
type Attributer interface {
	// Attributes returns those of statx(2), none of what is not there.
	Attributes(name string) uint64
}

// CheckChangeable refuses a path that not even root can replace, as chattr(1) makes them:
// it or its directory is immutable or append-only; or one below a link that is not
// root's. Files that are no Attributer have neither.
func CheckChangeable(files any, name string) error {
	a, ok := files.(Attributer)
	if !ok {
		return nil
	}
	dir, err := openDir(path.Dir(name))
	if err == nil {
		unix.Close(dir)
	}
	if link := (*LinkError)(nil); errors.As(err, &link) {
		return hint.NewUsage(link.Hints()[0], "%w", link)
	}
	for _, at := range []string{name, path.Dir(name)} {
		switch flags := a.Attributes(at); {
		case flags&unix.STATX_ATTR_IMMUTABLE != 0:
			return hint.NewUsage("chattr -i "+hint.Quote(at), "%s: is immutable, and would have to be changed", at)
		case flags&unix.STATX_ATTR_APPEND != 0:
			return hint.NewUsage("chattr -a "+hint.Quote(at), "%s: is append-only, and would have to be changed", at)
		}
	}
	return nil
}

// Attributes returns the attributes of what stands at a path, none if they cannot be told.
func Attributes(name string) uint64 {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st); err != nil {
		return 0
	}
	return st.Attributes
}
