package machine

import (
	"errors"
	"io/fs"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Unprivileged reports files that it may not read as absent, so that a dry run
// works without root: nearly all of a plan can be told without the private
// directories.
type Unprivileged struct{ system.System }

// Read implements system.Reader.
func (u Unprivileged) Read(p state.Path) (state.Object, error) {
	o, err := u.System.Read(p)
	if errors.Is(err, fs.ErrPermission) {
		return state.Object{}, nil
	}
	return o, err
}

// Stat implements system.Reader.
func (u Unprivileged) Stat(p state.Path) (state.Object, error) {
	o, err := u.System.Stat(p)
	if errors.Is(err, fs.ErrPermission) {
		return state.Object{}, nil
	}
	return o, err
}

// List implements system.Reader.
func (u Unprivileged) List(p state.Path) ([]string, error) {
	names, err := u.System.List(p)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	return names, err
}
