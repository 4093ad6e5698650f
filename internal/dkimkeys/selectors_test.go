package dkimkeys_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps/signer"
)

// fakeDNS has records by name and type. Names of unreachable zones have servers
// that nobody can ask, and a resolver that answers.
type fakeDNS struct {
	records     map[string]state.Record // by name and type
	unreachable bool
}

func (d fakeDNS) TXTExists(_ context.Context, name string) (bool, error) {
	if d.unreachable {
		return false, errors.New("no name server can be asked")
	}
	_, there := d.records[name+" TXT"]
	return there, nil
}

func (d fakeDNS) Lookup(_ context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error) {
	r, there := d.records[name+" "+rtype]
	if !there {
		return nil, dnsclient.NXDomain, nil
	}
	return []state.Record{r}, dnsclient.Found, nil
}

func selectors() dkimkeys.Selectors {
	files := systemtest.NewMem()
	files.PutFile(signer.KeyFile("lab.example", "disk"), "key")
	tail := 0
	return dkimkeys.Selectors{
		Ledger: keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Gone}}},
		Files:  files,
		Zones: []state.Zone{{Origin: "lab.example.", Records: []state.Record{
			{Name: "ZONE._domainkey.lab.example.", Type: "TXT"},
			{Name: "Vendor._domainkey.lab.example.", Type: "CNAME", Value: "key.vendor.example."},
		}}},
		DNS: fakeDNS{records: map[string]state.Record{
			"dns._domainkey.lab.example. TXT": {Type: "TXT"},
			"far._domainkey.lab.example. CNAME": {
				Name: "FAR._domainkey.lab.example.", Type: "CNAME", Value: "key.far.example.",
			},
		}},
		Now:    now,
		Random: func(n int) string { tail++; return "abcdefgh"[tail : tail+n] },
	}
}

// A selector is never used twice, whoever used it.
func TestInUse(t *testing.T) {
	for selector, want := range map[string]bool{
		"old": true, "OLD": true, "disk": true, "zone": true, "vendor": true, "dns": true, "fresh": false,
	} {
		if got := selectors().InUse(t.Context(), "lab.example", selector); got != want {
			t.Errorf("%s: %v", selector, got)
		}
	}
	if selectors().InUse(t.Context(), "other.example", "old") {
		t.Error("a selector is in use for another domain")
	}
}

// Where no server in charge can be asked the resolver decides, and without any DNS
// only what is on this machine.
func TestInUseWithoutServers(t *testing.T) {
	s := selectors()
	d := s.DNS.(fakeDNS)
	d.unreachable = true
	s.DNS = d
	if !s.InUse(t.Context(), "lab.example", "dns") || s.InUse(t.Context(), "lab.example", "fresh") {
		t.Error("the resolver is not asked")
	}
	s.DNS = nil
	if s.InUse(t.Context(), "lab.example", "dns") || !s.InUse(t.Context(), "lab.example", "zone") {
		t.Error("without DNS")
	}
}

// A file that cannot be read may be a key.
func TestWhatCannotBeReadIsInUse(t *testing.T) {
	s := selectors()
	s.Files = unreadable{systemtest.NewMem()}
	if !s.InUse(t.Context(), "lab.example", "fresh") {
		t.Error("taken for free")
	}
}

type unreadable struct{ *systemtest.Mem }

func (unreadable) Read(state.Path) (state.Object, error) {
	return state.Object{}, errors.New("input/output error")
}

func TestChoose(t *testing.T) {
	for preferred, want := range map[string]string{"": "202611", "mail": "mail", "old": "202611", "dns": "202611"} {
		if got := selectors().Choose(t.Context(), "lab.example", preferred); got != want {
			t.Errorf("%q: %s, want %s", preferred, got, want)
		}
	}
	s := selectors()
	s.Ledger = s.Ledger.Put("lab.example", keyring.Key{Selector: "202611"}).Put("lab.example", keyring.Key{Selector: "202611-bcde"})
	if got := s.Choose(t.Context(), "lab.example", ""); got != "202611-cdef" {
		t.Errorf("%s", got)
	}
}

// Servers that sign for the same domain never choose the same selector, once host.toml of
// each names one.
func TestNamedSelectors(t *testing.T) {
	for name, want := range map[string]string{
		"": "202611", "mx1": "mx1-202611", "mx1.eu": "mx1.eu-202611", "202611": "202611", "mx1-202605": "202611", "s1": "s1-202611",
		strings.Repeat("m", 51): strings.Repeat("m", 51) + "-202611", strings.Repeat("m", 52): "202611",
	} {
		s := selectors().Named(spec.Host{Defaults: spec.Defaults{Selector: name}})
		if got := s.Choose(t.Context(), "lab.example", ""); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// A spec that came without its ledger may name a key of another machine.
func TestForFirstKey(t *testing.T) {
	old := &spec.Spec{Domains: []spec.Domain{{Name: "lab.example"}}}
	for _, tt := range []struct {
		selector string
		old      *spec.Spec
		want     string
	}{
		{"mine", old, "mine"},
		{"dns", old, "202611"},
		{"dns", nil, "dns"}, // it was chosen in this run
		{"dns", &spec.Spec{}, "dns"},
	} {
		if got := selectors().ForFirstKey(t.Context(), spec.Domain{Name: "lab.example", Selector: tt.selector}, tt.old); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestAlias(t *testing.T) {
	s := selectors()
	for selector, want := range map[string]string{"vendor": "key.vendor.example.", "far": "key.far.example.", "dns": "", "fresh": ""} {
		if got := s.Alias(t.Context(), "lab.example", selector); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	s.DNS = nil
	if got := s.Alias(t.Context(), "lab.example", "far"); got != "" {
		t.Errorf("without DNS: %q", got)
	}
}
