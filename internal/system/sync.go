package system

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"mailsetup/internal/state"
)

// manyFiles is the number of objects from which one syncfs(2) for each file
// system is cheaper than an fsync(2) for each object. syncfs reports write
// errors since Linux 5.8.
const manyFiles = 64

// Sync implements Writer. It syncs a removed object through its directory.
func (s *files) Sync(paths ...state.Path) error {
	targets := syncTargets(paths)
	if len(targets) > manyFiles {
		return s.syncFileSystems(targets)
	}
	for _, p := range targets {
		if err := s.syncOne(p); err != nil {
			return failure("sync", p, err)
		}
	}
	return nil
}

// syncTargets returns the files first, then each of their directories once.
func syncTargets(paths []state.Path) []state.Path {
	seen := make(map[state.Path]bool, 2*len(paths))
	var targets []state.Path
	add := func(p state.Path) {
		if !seen[p] {
			seen[p] = true
			targets = append(targets, p)
		}
	}
	for _, p := range paths {
		add(p)
	}
	for _, p := range paths {
		add(p.Dir())
	}
	return targets
}

func (s *files) syncOne(p state.Path) error {
	f, err := s.openToSync(p)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	return cause(f.Sync())
}

// openToSync returns nil for what has no data to flush.
func (s *files) openToSync(p state.Path) (*os.File, error) {
	fi, err := s.tree.lstat(p)
	if nothingThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, cause(err)
	}
	if !fi.Mode().IsRegular() && !fi.IsDir() {
		return nil, nil
	}
	f, err := s.tree.openFile(p, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

func (s *files) syncFileSystems(targets []state.Path) error {
	done := make(map[uint64]bool)
	for _, p := range targets {
		fi, err := s.tree.lstat(p)
		if nothingThere(err) {
			continue
		}
		if err != nil {
			return failure("sync", p, err)
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok || done[st.Dev] {
			continue
		}
		f, err := s.openToSync(p)
		if err != nil {
			return failure("sync", p, err)
		}
		if f == nil {
			continue
		}
		err = unix.Syncfs(int(f.Fd()))
		f.Close()
		if err != nil {
			return failure("sync", p, err)
		}
		done[st.Dev] = true
	}
	return nil
}
