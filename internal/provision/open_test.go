package provision_test

import (
	"slices"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// The domains that a removal is about are those that still sign; the facts come with
// the request.
func TestRemoveFromADirectory(t *testing.T) {
	sp := lab(t)
	shop := sp.Domains[0]
	shop.Name = "shop.example"
	key := func(selector string, stage keyring.Stage) []byte {
		return keyring.MarshalDomain([]keyring.Key{{
			Selector: selector, Bits: 1024, Stage: stage, File: "/k", Since: map[keyring.Stage]time.Time{stage: november},
		}})
	}
	root := systemtest.Directory(t, map[state.Path][]byte{
		spec.HostFile:                   spec.MarshalHost(sp.Host),
		spec.DomainFile("lab.example"):  spec.MarshalDomain(sp.Domains[0]),
		spec.DomainFile("shop.example"): spec.MarshalDomain(shop),
		keyring.File("shop.example"):    key("now", keyring.Active),
		keyring.File("past.example"):    key("old", keyring.Draining),
	})
	on := machine.Options{Root: root, DryRun: true, Command: "remove-domain", Clock: func() time.Time { return november }}
	p, err := provision.Open(t.Context(), on, provision.Options{DryRun: true}, &person{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r, before, err := p.Remove(t.Context(), []string{"shop.example", "past.example"}, false)
	if err != nil || !slices.Equal(before, []string{"past.example"}) || !slices.Equal(r.Scope.Selection(), []string{"shop.example"}) {
		t.Errorf("removed before %q, about %q, %v", before, r.Scope.Selection(), err)
	}
	if r.Want.Has("shop.example") || r.Hashes == nil || r.Facts.Files == nil {
		t.Errorf("want %v, hashes %v, files %v", r.Want.Domains, r.Hashes, r.Facts.Files)
	}
	if r, _, err := p.Remove(t.Context(), []string{"past.example"}, false); err != nil || len(r.Scope.Selection()) > 0 {
		t.Errorf("nothing is left to do: about %q, %v", r.Scope.Selection(), err)
	}
	if err := p.NoteElapsed(); err != nil { // no time passes there
		t.Error(err)
	}
}

func TestRemoveWhereNothingIsSetUp(t *testing.T) {
	on := machine.Options{Root: t.TempDir(), DryRun: true, Command: "remove-domain"}
	p, err := provision.Open(t.Context(), on, provision.Options{DryRun: true}, &person{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, err := p.Remove(t.Context(), []string{"shop.example"}, false); err == nil || !hint.IsUsage(err) {
		t.Errorf("error %v", err)
	}
}
