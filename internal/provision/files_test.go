package provision_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// setUpAs opens a directory that has these files.
func setUpAs(t *testing.T, files map[state.Path][]byte) *provision.Opened {
	t.Helper()
	on := machine.Options{Root: systemtest.Directory(t, files), DryRun: true, Command: "apply"}
	p, err := provision.Open(t.Context(), on, provision.Options{DryRun: true, Strict: true, SkipUnreadable: true}, &person{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// given writes the files of a spec into a directory.
func given(t *testing.T, sp spec.Spec) string {
	t.Helper()
	dir := t.TempDir()
	texts := map[string][]byte{"host.toml": spec.MarshalHost(sp.Host)}
	for _, d := range sp.Domains {
		texts["domains.d/"+d.Name+".toml"] = spec.MarshalDomain(d)
	}
	if err := os.Mkdir(filepath.Join(dir, "domains.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The files alone say what is wanted: a domain that the given ones do not have leaves as it
// was, and whoever runs it has agreed to that.
func TestARunFromFiles(t *testing.T) {
	sp := lab(t)
	shop := sp.Domains[0]
	shop.Name, shop.TTL = "shop.example", 600
	there := map[state.Path][]byte{
		spec.HostFile:                   spec.MarshalHost(sp.Host),
		spec.DomainFile("lab.example"):  spec.MarshalDomain(sp.Domains[0]),
		spec.DomainFile("shop.example"): spec.MarshalDomain(shop),
	}
	p := setUpAs(t, there)
	r, err := p.Files(t.Context(), given(t, sp))
	if err != nil || r.Want.Has("shop.example") || len(r.Removed) != 1 || r.Removed[0].TTL != 600 || !r.Scope.WholeHost() || r.Given == nil {
		t.Errorf("removes %v of %v, %v", r.Removed, r.Want.Domains, err)
	}
	if !p.Options.Consents[state.AskRemoval] {
		t.Error("and would ask")
	}
	if r, err = p.Files(t.Context(), ""); err != nil || !r.Want.Has("shop.example") || len(r.Removed) > 0 || r.Given != nil {
		t.Errorf("its own files: removes %v, %v", r.Removed, err)
	}

	// Other MX hosts that a run saw go on to pass, unless the files name some themselves.
	seen := sp
	seen.Host.Inbound = inbound.Policy{SPF: inbound.Reject}
	bare := given(t, seen)
	seen.Host.Inbound.MX = []string{"mx2.lab.example 192.0.2.20"}
	there[spec.HostFile] = spec.MarshalHost(seen.Host)
	p = setUpAs(t, there)
	if r, err = p.Files(t.Context(), bare); err != nil || !slices.Equal(r.Want.Host.Inbound.MX, seen.Host.Inbound.MX) {
		t.Errorf("MX hosts %q, %v", r.Want.Host.Inbound.MX, err)
	}
	seen.Host.Inbound.MX = []string{"mx3.lab.example 192.0.2.30"}
	if r, err = p.Files(t.Context(), given(t, seen)); err != nil || !slices.Equal(r.Want.Host.Inbound.MX, seen.Host.Inbound.MX) {
		t.Errorf("MX hosts %q, %v", r.Want.Host.Inbound.MX, err)
	}

	there[spec.DomainFile("shop.example")] = []byte("domain = 5\n")
	p = setUpAs(t, there)
	if r, err = p.Files(t.Context(), given(t, sp)); err != nil || len(r.Want.Domains) != 1 {
		t.Errorf("a wrong file that goes: %v", err)
	}
	if _, err = p.Files(t.Context(), ""); err == nil {
		t.Error("a wrong file that counts is passed over")
	}
	if _, err = setUpAs(t, nil).Files(t.Context(), ""); err == nil || !hint.IsUsage(err) {
		t.Errorf("no files: %v", err)
	}
}

// Nobody has looked whether the selector in a given file is free.
func TestAGivenSelectorThatIsInUse(t *testing.T) {
	sp := lab(t)
	sp.Domains[0].Selector, sp.Host.Defaults.Selector = "s1", "mx1"
	g, err := store.LoadGiven(system.NewHost(system.Options{}), state.Path(given(t, sp)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		given *store.Given
		want  string
	}{{nil, "s1"}, {&g, "mx1-202611"}} {
		w := newWorld(t, "")
		w.facts.Zones = state.Zones{{Origin: "lab.example.", Kind: "primary", Records: []state.Record{{Name: "s1._domainkey.lab.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; p=AAAA"}}}}
		r := w.request(sp, nothing)
		r.Given = tt.given
		d, err := w.plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if keys := d.Input.Ledger["lab.example"]; len(keys) != 1 || keys[0].Selector != tt.want {
			t.Errorf("keys %+v, want %s", keys, tt.want)
		}
	}
}
