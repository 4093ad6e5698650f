package main

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
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
	mem, out := systemtest.NewMem(), &bytes.Buffer{}
	mem.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	for _, dir := range []state.Path{"/etc/dkimkeys", "/var/lib/mailsetup"} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Owner{User: "opendkim", Group: "opendkim"}})
	}
	s := &session{c: console{out: out, err: &bytes.Buffer{}}, o: options{dryRun: true, install: true}}
	s.Machine = machine.New(machine.Unprivileged{System: closed{mem}}, dnsclient.New("127.0.0.1:1"), s.machineOptions())
	s.Now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	if err := s.remember(); err != nil {
		t.Fatal(err)
	}
	want, findings := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"},
	}.Spec(nil, s.Now)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	if s.selectors(s.keys, nil).InUse(t.Context(), "lab.example", "202611") {
		t.Error("a selector that cannot be looked at counts as taken")
	}
	r := provision.Request{Want: want, Keys: provision.KeyPlan{Ledger: s.keys}, Hashes: s.hashes}
	if err := s.sources().Fill(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if err := s.provision(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "/etc/dkimkeys/lab.example/202611.private") {
		t.Errorf("the plan has no key:\n%s", out)
	}
}
