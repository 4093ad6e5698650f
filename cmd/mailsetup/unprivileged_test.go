package main

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"mailsetup/internal/machine"
	"mailsetup/internal/propose"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// closed is a machine whose private directories are not for us.
type closed struct{ system.System }

func private(p state.Path) bool {
	return strings.HasPrefix(string(p), "/etc/dkimkeys/") || strings.HasPrefix(string(p), "/var/lib/mailsetup/")
}

func (c closed) Read(p state.Path) (state.Object, error) {
	if private(p) {
		return state.Object{}, &fs.PathError{Op: "read", Path: string(p), Err: fs.ErrPermission}
	}
	return c.System.Read(p)
}

func (c closed) List(p state.Path) ([]string, error) {
	if private(p) {
		return nil, &fs.PathError{Op: "list", Path: string(p), Err: fs.ErrPermission}
	}
	return c.System.List(p)
}

func TestADryRunNeedsNoRoot(t *testing.T) {
	s, mem, _, want := bareSession(t)
	out := &bytes.Buffer{}
	s.c.out, s.o.dryRun, s.o.yes = out, true, false
	for _, dir := range []state.Path{"/etc/dkimkeys", "/var/lib/mailsetup"} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Owner{User: "opendkim", Group: "opendkim"}})
	}
	s.Sys = machine.Unprivileged{System: closed{mem}}
	if err := s.remember(); err != nil {
		t.Fatal(err)
	}
	if s.selectors().InUse(t.Context(), "lab.example", "202611") {
		t.Error("a selector that cannot be looked at counts as taken")
	}
	if err := s.propose(t.Context(), propose.Result{Want: want, Facts: s.facts, Ledger: s.keys, Record: s.record}, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "/etc/dkimkeys/lab.example/202611.private") {
		t.Errorf("the plan has no key:\n%s", out)
	}
}
