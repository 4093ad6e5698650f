package dnsexport_test

import (
	"testing"
	"time"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
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
	root := systemtest.Directory(t, map[state.Path][]byte{
		spec.HostFile:                spec.MarshalHost(sp.Host),
		spec.DomainFile("a.example"): spec.MarshalDomain(other),
		spec.DomainFile("b.example"): spec.MarshalDomain(ours),
	})
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

// Who publishes by hand hears what comes next, where something does.
func TestAllIsWell(t *testing.T) {
	sp, findings := spec.Answers{Domain: "a.example", Hostname: "mail.a.example", Addresses: []string{"192.0.2.10"}, DNS: "manual"}.Spec(nil, time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	const well = "All is well: nothing is left to publish."
	for every, want := range map[time.Duration]string{
		180 * 24 * time.Hour: well + " Later the key gets a successor\n(rotate_every); host.toml has no notify, so nobody is mailed its record then.\n",
		spec.Never:           well + "\n",
	} {
		d := sp.Domains[0]
		d.Every = every
		root := systemtest.Directory(t, map[state.Path][]byte{
			spec.HostFile: spec.MarshalHost(sp.Host), spec.DomainFile("a.example"): spec.MarshalDomain(d),
		})
		r, err := dnsexport.Open(t.Context(), machine.Options{Root: root, DryRun: true, Command: "dns"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.AllIsWell(t.Context(), nil); got != want {
			t.Errorf("%v: %q\nwant %q", every, got, want)
		}
		r.Close()
	}
}
