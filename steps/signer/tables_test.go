package signer_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/steptest"
)

func TestAHostNamedLikeASecondDomainSignsWithItsKey(t *testing.T) {
	in := steptest.Two("shop.example", "shop.example")
	for _, p := range steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0].Probes {
		for _, s := range p.Signers {
			if strings.HasSuffix(s.From, "@shop.example") && s.Domain != "shop.example" {
				t.Errorf("%s is expected to be signed by %s", s.From, s.Domain)
			}
		}
	}
}

// The host's name may be below a domain of this server and be signed by
// another one all the same.
func TestAlignmentIsWithTheDomainThatSigns(t *testing.T) {
	for _, tt := range []struct{ hostname, primary, do string }{
		{"mail.lab.example", "lab.example", ""},
		{"mail.shop.example", "lab.example", `set domain = "shop.example" in /etc/mailsetup/host.toml, then run mailsetup init again`},
		{"shop.example", "lab.example", ""}, // has a key of its own
	} {
		in := steptest.Two(tt.hostname, "shop.example")
		in.Spec.Host.Domain = tt.primary
		in.Facts.Postfix.Value["myhostname"], in.Facts.Postfix.Value["myorigin"] = tt.hostname, tt.hostname
		do := ""
		for _, n := range steptest.Build(t, in).Notes {
			if n.Topic == "alignment" {
				do = n.Action
			}
		}
		if do != tt.do {
			t.Errorf("%s signed by %s: the note says %q, want %q", tt.hostname, tt.primary, do, tt.do)
		}
	}
}

// Tables of other rows are made anew, whatever was rendered before.
func TestTablesRenderedBefore(t *testing.T) {
	in := steptest.Installed()
	tables, err := signer.RenderTables(in)
	if err != nil {
		t.Fatal(err)
	}
	in.Tables = tables
	table := func(p state.Path) string {
		return string(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), p))
	}
	first := table(signer.SigningTable)
	if again := table(signer.SigningTable); again != first || !strings.Contains(first, "lab.example ") {
		t.Errorf("%s, then %s", first, again)
	}
	in.Spec.Domains[0].Also = []string{"ann@example.net"}
	if got := table(signer.SigningTable); !strings.Contains(got, "ann@example.net 202611._domainkey.lab.example") {
		t.Errorf("a row is missing: %s", got)
	}
	k := in.Ledger["lab.example"][0]
	k.File = "/etc/dkimkeys/other.private"
	in.Ledger = keyring.Ledger{"lab.example": {k}}
	if got := table(signer.KeyTable); !strings.Contains(got, "/etc/dkimkeys/other.private") {
		t.Errorf("the old file: %s", got)
	}
}

func TestTables(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Value["myorigin"] = "other.example"
	want := steptest.Build(t, in)
	st := steptest.Stage(t, want, "OpenDKIM")
	if d := cmp.Diff([]string{
		"202611._domainkey.lab.example lab.example:202611:/etc/dkimkeys/lab.example/202611.private",
	}, steptest.TableRows(steptest.Content(t, st, signer.KeyTable))); d != "" {
		t.Error(d)
	}
	rows := steptest.TableRows(steptest.Content(t, st, signer.SigningTable))
	slices.Sort(rows)
	if d := cmp.Diff([]string{
		"lab.example 202611._domainkey.lab.example",
		"mail.lab.example 202611._domainkey.lab.example",
		"other.example 202611._domainkey.lab.example",
	}, rows); d != "" {
		t.Error(d)
	}
	said := slices.ContainsFunc(want.Notes, func(n state.Note) bool {
		return n.Topic == "alignment" && strings.Contains(n.Text, "@other.example")
	})
	if !said {
		t.Error("nobody says that mail from @other.example cannot align")
	}
}

func TestTrustedHostsHoldWhatPostfixRelaysFor(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Addresses = []netip.Addr{netip.MustParseAddr("10.1.2.3")}
	in.Facts.Postfix.Networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	got := steptest.TableRows(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.TrustedHosts))
	for _, want := range []string{"127.0.0.1", "::1", "10.1.2.3", "10.1.0.0/16", "192.0.2.10"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
}

// What mynetworks takes out is not signed, unless an entry of ours names it.
func TestTrustedHostsTakeOutWhatPostfixDoes(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Networks = steptest.Networks("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32")
	in.Facts.Postfix.ExcludedNetworks = steptest.Networks("10.0.0.7/32", "10.9.0.0/16", "2001:db8::7/128", "192.0.2.10/32", "10.0.0.8/32", "127.0.0.0/8")
	in.Spec.Host.Trusted = []string{"10.0.0.8", "!10.0.0.7"}
	got := steptest.TableRows(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.TrustedHosts))
	want := []string{"127.0.0.1", "::1", "10.0.0.0/8", "127.0.0.0/8", "192.0.2.10", "2001:db8::/32", "10.0.0.8", "!10.0.0.7", "!10.9.0.0/16", "!2001:db8::7"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
