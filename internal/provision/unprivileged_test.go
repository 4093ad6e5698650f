package provision_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
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
	mem := systemtest.NewMem()
	mem.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	for _, dir := range []state.Path{"/etc/dkimkeys", "/var/lib/mailsetup"} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Owner{User: "opendkim", Group: "opendkim"}})
	}
	m := machine.New(machine.Unprivileged{System: closed{mem}}, dnsclient.New("127.0.0.1:1"), machine.Options{
		DryRun: true, Command: "init", Clock: func() time.Time { return november },
	})
	p := provision.New(m, provision.Options{DryRun: true, Install: true, MakeKeys: true}, &person{})
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	if p.Selectors(p.Earlier.Ledger, nil).InUse(t.Context(), "lab.example", "202611") {
		t.Error("a selector that cannot be looked at counts as taken")
	}
	r := provision.Request{Want: lab(t), Keys: provision.KeyPlan{Ledger: p.Earlier.Ledger}, Hashes: p.Earlier.Hashes}
	if err := p.Facts.Gather(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	d, err := p.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if paths := d.Plan.Paths(); !slices.Contains(paths, "/etc/dkimkeys/lab.example/202611.private") {
		t.Errorf("the plan has no key: %q", paths)
	}
}
