// Package scratch makes directories for copies that checkers read, and removes those
// that killed runs left.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Dir is where scratch directories are made. TMPDIR is ignored: postconf(1) cannot read a
// directory with a blank in its name, and what a user sets may not exist for root.
const Dir = "/tmp"

const prefix = "mailsetup-scratch-"

// Directory is a directory that only its owner can enter.
type Directory struct {
	Path string
	lock *os.File // held while the directory is used; the kernel gives it back
}

// New makes a directory below dir, Dir if that is "".
func New(dir string) (*Directory, error) {
	if dir == "" {
		dir = Dir
	}
	for range 100 {
		path, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, err
		}
		lock, err := take(path, syscall.LOCK_SH)
		if err == nil {
			return &Directory{path, lock}, nil
		}
		removed := os.Remove(path)
		// Another process removed it in RemoveLeftOver before it was locked.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, removed)
		}
	}
	return nil, fmt.Errorf("make a directory in %s: somebody removes each", dir)
}

// Remove removes the directory with all that is in it.
func (d *Directory) Remove() error {
	return errors.Join(os.RemoveAll(d.Path), d.lock.Close())
}

// take opens and locks a directory, and makes sure that the path still leads to it.
func take(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	}
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Lstat(path); err == nil && !(os.SameFile(opened, named) && ours(named)) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ours reports whether something may have been made by New: a directory of whoever runs
// this, and of nobody else.
func ours(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && fi.IsDir() && fi.Mode().Perm() == 0o700 && int(st.Uid) == os.Geteuid()
}

// Names reports whether arguments of a program name something below such a directory.
func Names(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "/"+prefix) })
}

// RemoveLeftOver removes the directories below dir that no process uses any more.
func RemoveLeftOver(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !e.IsDir() {
			continue
		}
		if lock, lerr := take(dir+"/"+e.Name(), syscall.LOCK_EX); lerr == nil {
			err = errors.Join(err, os.RemoveAll(dir+"/"+e.Name()), lock.Close())
		}
	}
	return err
}
