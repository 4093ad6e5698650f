package main

import (
	"errors"
	"io/fs"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// shy takes what it may not read for missing: a dry run needs no root, and
// nearly all of a plan can be told without the private directories.
type shy struct{ system.System }

// Read implements system.Reader.
func (s shy) Read(p state.Path) (state.Object, error) {
	o, err := s.System.Read(p)
	if errors.Is(err, fs.ErrPermission) {
		return state.Object{}, nil
	}
	return o, err
}

// Stat implements system.Reader.
func (s shy) Stat(p state.Path) (state.Object, error) {
	o, err := s.System.Stat(p)
	if errors.Is(err, fs.ErrPermission) {
		return state.Object{}, nil
	}
	return o, err
}

// List implements system.Reader.
func (s shy) List(p state.Path) ([]string, error) {
	names, err := s.System.List(p)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	return names, err
}
