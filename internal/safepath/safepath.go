// Package safepath changes files by paths on which only root can put a symbolic link.
//
// Zones lie in directories of named's user, and keys in those of OpenDKIM's. Whoever takes
// over such a daemon could put a link there between a check and a change, so that root
// writes, removes or gives away a file elsewhere.
package safepath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"mailsetup/internal/hint"
)

// maxLinks is how many symbolic links a path may have, as path_resolution(7).
const maxLinks = 40

// LinkError says that a path leads through a symbolic link that is not root's.
type LinkError struct {
	Path string
	UID  int
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("the symbolic link %s belongs to user %d, who could lead it elsewhere", e.Path, e.UID)
}

// Hints returns what to do if the link is right.
func (e *LinkError) Hints() []string {
	at := hint.Quote(e.Path)
	return []string{"ls -l " + at + " shows where it leads; if that is right: chown -h root " + at}
}

// OpenFile is os.OpenFile for a path without a link at its end.
func OpenFile(name string, flag int, perm fs.FileMode) (f *os.File, err error) {
	err = in(name, func(dir int, base string) error {
		fd, err := unix.Openat(dir, base, flag|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			f = os.NewFile(uintptr(fd), name)
		}
		return err
	})
	return f, err
}

// Mkdir is os.Mkdir by a path on which only root can put a link.
func Mkdir(name string, perm fs.FileMode) error {
	return in(name, func(dir int, base string) error { return unix.Mkdirat(dir, base, uint32(perm.Perm())) })
}

// Remove is os.Remove by a path on which only root can put a link.
func Remove(name string) error {
	return in(name, func(dir int, base string) error {
		err := unix.Unlinkat(dir, base, 0)
		if err == nil {
			return nil
		}
		if derr := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); derr != unix.ENOTDIR {
			return derr
		}
		return err // not a directory: the error of unlinkat itself
	})
}

// Rename is os.Rename by paths on which only root can put a link.
func Rename(from, to string) error {
	return in(from, func(fromDir int, fromBase string) error {
		return in(to, func(toDir int, toBase string) error { return unix.Renameat(fromDir, fromBase, toDir, toBase) })
	})
}

// in calls f with the open directory that a path leads to, and the last part of it.
func in(name string, f func(dir int, base string) error) error {
	dir, base := path.Split(path.Clean(name))
	fd, err := openDir(dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if err = f(fd, base); err != unix.EINTR {
			return err
		}
	}
}

const directory = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

// openDir opens a directory by an absolute path. Most have no link on their way, which the
// kernel finds out in one call.
func openDir(dir string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{Flags: directory, Resolve: unix.RESOLVE_NO_SYMLINKS})
	switch err {
	case unix.ELOOP, unix.ENOSYS, unix.EPERM, unix.EINTR, unix.EAGAIN: // a link, or a kernel or a filter without the call
		return walk(dir)
	}
	return fd, err
}

// walk opens a directory part by part.
func walk(dir string) (int, error) {
	at, err := unix.Open("/", directory, 0)
	if err != nil {
		return -1, err
	}
	seen := "/" // the path walked so far, which at is open on
	links := 0
	for rest := dir; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if part == "" || part == "." {
			continue
		}
		next, err := unix.Openat(at, part, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			unix.Close(at)
			return -1, err
		}
		seen = path.Join(seen, part)
		target, err := linkTarget(next, seen)
		if err == nil && target != "" {
			if links++; links > maxLinks {
				err = unix.ELOOP
			}
			unix.Close(next)
			rest = target + "/" + rest
			seen = path.Dir(seen)
			if next = at; target[0] == '/' && err == nil {
				seen = "/"
				next, err = unix.Open("/", directory, 0)
			}
		}
		if next != at {
			unix.Close(at)
		}
		if err != nil {
			if next >= 0 {
				unix.Close(next)
			}
			return -1, err
		}
		at = next
	}
	return at, nil
}

// linkTarget returns where an open symbolic link leads, "" for a directory.
func linkTarget(fd int, name string) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "", nil
	case unix.S_IFLNK:
	default:
		return "", unix.ENOTDIR
	}
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() {
		return "", &LinkError{name, uid}
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	if err == nil && (n == 0 || n == len(target)) {
		err = errors.New("a symbolic link without a target")
	}
	return string(target[:max(n, 0)]), err
}
