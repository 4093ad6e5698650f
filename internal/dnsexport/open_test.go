package dnsexport_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
)

// A domain that is left to another signer gets no key of ours by any run.
func TestNoKeyIsMissedWhereAnotherSigns(t *testing.T) {
	sp, findings := spec.Answers{Domain: "a.example", Hostname: "mail.a.example", Addresses: []string{"192.0.2.10"}}.Spec(nil, time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	other := sp.Domains[0]
	other.SignedBy = spec.ByOther
	ours := sp.Domains[0]
	ours.Name = "b.example"
	root := t.TempDir()
	put(t, root, string(spec.HostFile), spec.MarshalHost(sp.Host))
	put(t, root, string(spec.DomainFile("a.example")), spec.MarshalDomain(other))
	put(t, root, string(spec.DomainFile("b.example")), spec.MarshalDomain(ours))
	for name, want := range map[string]string{"a.example": "", "b.example": "no key yet, so no DKIM record: b.example"} {
		r, err := dnsexport.Open(t.Context(), machine.Options{Root: root, DryRun: true, Command: "dns"}, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := r.KeysUnknown(); err != nil {
			got = err.Error()
			if hints := hint.Of(err); len(hints) != 1 || hints[0] != "mailsetup init makes it; in a directory, with --root-keys" {
				t.Errorf("%s: hints %q", name, hints)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		r.Close()
	}
}

func put(t *testing.T, root, file string, text []byte) {
	t.Helper()
	file = filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
