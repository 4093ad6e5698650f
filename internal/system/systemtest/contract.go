// Package systemtest holds what tests of the program put in the place of the
// machine, and the suite that keeps it honest.
package systemtest

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Base is the directory below which the contract works. The system under test
// must have it, owned by root:root, mode 0755 and empty.
const Base state.Path = "/etc"

// Contract is what the file operations of every System promise: the real
// machine, a directory that stands for one, and the one in memory. make
// returns a fresh system with an empty directory /etc.
func Contract(t *testing.T, make func(t *testing.T) system.System) {
	t.Helper()
	ContractAt(t, func(t *testing.T) (system.System, state.Path) { return make(t), Base })
}

// ContractAt is Contract in another directory than /etc, for the machine the
// tests run on.
func ContractAt(t *testing.T, make func(t *testing.T) (system.System, state.Path)) {
	t.Helper()
	for _, c := range contract() {
		t.Run(c.name, func(t *testing.T) {
			s, base := make(t)
			c.run(t, s, base)
		})
	}
}

// clause is one promise.
type clause struct {
	name string
	run  func(t *testing.T, s system.System, base state.Path)
}

func contract() []clause {
	return slices.Concat(readClauses(), createClauses(), dirClauses(), moveClauses(), metaClauses(), appendClauses())
}

// regular is an object as Create takes it, and as Read must give it back.
func regular(content string, mode fs.FileMode) state.Object {
	return state.Object{Kind: state.Regular, Mode: mode, Owner: state.Root, Content: []byte(content)}
}

func directory(mode fs.FileMode) state.Object {
	return state.Object{Kind: state.Directory, Mode: mode, Owner: state.Root}
}

func read(t *testing.T, s system.System, p state.Path) state.Object {
	t.Helper()
	o, err := s.Read(p)
	if err != nil {
		t.Fatalf("Read(%s): %v", p, err)
	}
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails unless p holds exactly o.
func is(t *testing.T, s system.System, p state.Path, o state.Object) {
	t.Helper()
	got := read(t, s, p)
	if got.Kind != o.Kind || got.Mode != o.Mode || got.Owner != o.Owner || !bytes.Equal(got.Content, o.Content) {
		t.Errorf("%s is %q %v %s %q, want %q %v %s %q", p,
			got.Kind, got.Mode, got.Owner, got.Content, o.Kind, o.Mode, o.Owner, o.Content)
	}
}

// fails checks an error and what errors.Is says of it.
func fails(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("error %q is not %q", err, want)
	}
}
