package lab

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes a flock on path, creating the file, and holds it until the
// returned file is closed. With syscall.LOCK_NB it fails instead of waiting.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if err != syscall.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
