package system

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"mailsetup/internal/safepath"
	"mailsetup/internal/state"
)

// tree is where paths are resolved: on the machine itself, or in a directory that is
// the root of another one. Symbolic links are followed except for the last element, if
// a flag of O_NOFOLLOW says so.
type tree interface {
	openFile(p state.Path, flag int) (*os.File, error)
	// openToChange opens what will be written or given away: no link of anybody else's
	// than root leads there.
	openToChange(p state.Path, flag int) (*os.File, error)
	lstat(p state.Path) (fs.FileInfo, error)
	readlink(p state.Path) (string, error)
	mkdir(p state.Path) error
	remove(p state.Path) error
	rename(from, to state.Path) error
}

// private is the mode in which everything is born.
const (
	privateFile = 0o600
	privateDir  = 0o700
)

// hostTree is the machine itself. It is not an os.Root of "/": that refuses absolute
// symbolic links, and /var/run is one.
type hostTree struct{}

func (hostTree) openFile(p state.Path, flag int) (*os.File, error) {
	return os.OpenFile(string(p), flag, privateFile)
}

func (hostTree) openToChange(p state.Path, flag int) (*os.File, error) {
	return safepath.OpenFile(string(p), flag, privateFile)
}

func (hostTree) lstat(p state.Path) (fs.FileInfo, error) { return os.Lstat(string(p)) }
func (hostTree) readlink(p state.Path) (string, error)   { return os.Readlink(string(p)) }
func (hostTree) mkdir(p state.Path) error                { return safepath.Mkdir(string(p), privateDir) }
func (hostTree) remove(p state.Path) error               { return safepath.Remove(string(p)) }

// rename keeps the ACL of a file that is replaced.
func (hostTree) rename(from, to state.Path) error {
	if err := safepath.CopyACL(string(to), string(from)); err != nil {
		return err
	}
	return safepath.Rename(string(from), string(to))
}

// rootTree is a directory; no symbolic link leads out of it.
type rootTree struct{ root *os.Root }

// inside returns the relative path that os.Root wants.
func inside(p state.Path) string {
	if rel := strings.TrimPrefix(string(p), "/"); rel != "" {
		return rel
	}
	return "."
}

func (b rootTree) openFile(p state.Path, flag int) (*os.File, error) {
	return b.root.OpenFile(inside(p), flag, privateFile)
}

func (b rootTree) openToChange(p state.Path, flag int) (*os.File, error) {
	return b.openFile(p, flag|syscall.O_NOFOLLOW)
}

func (b rootTree) lstat(p state.Path) (fs.FileInfo, error) { return b.root.Lstat(inside(p)) }
func (b rootTree) readlink(p state.Path) (string, error)   { return b.root.Readlink(inside(p)) }
func (b rootTree) mkdir(p state.Path) error                { return b.root.Mkdir(inside(p), privateDir) }
func (b rootTree) remove(p state.Path) error               { return b.root.Remove(inside(p)) }
func (b rootTree) rename(from, to state.Path) error {
	return b.root.Rename(inside(from), inside(to))
}

// failure returns an error with the operation and the path as given, whatever the
// library call reported; errors.Is still finds the cause.
func failure(op string, p state.Path, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: string(p), Err: cause(err)}
}

// cause removes the library's path and operation from an error.
func cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	var se *os.SyscallError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	case errors.As(err, &se):
		return se.Err
	}
	return err
}

// nothingThere reports whether err says that a path does not exist.
func nothingThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
