package steps

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// taking is a server that took over what TestTakeOver shows.
func taking() Input {
	in := installed()
	d := in.Spec.Domains[0]
	d.Subdomains, d.Also = true, []string{"ann@shop.example", "*"}
	d.Identities = []string{".lab.example @lab.example"}
	news := d
	news.Name, news.Partial, news.Subdomains, news.Also, news.Identities = "news.example", true, false, []string{"postmaster@lab.example", "ann@*"}, nil
	news.DNS = spec.DNSManual
	in.Spec.Domains = []spec.Domain{d, news}
	in.Spec.Host.Trusted = []string{"10.20.0.0/16"}
	in.Spec.Host.OpenDKIM = []string{"Canonicalization simple/simple"}
	in.Keys = keyring.Ledger{
		"lab.example":  {{Selector: "Mail", Public: "MIIB", File: "/etc/mail/a.key", Stage: keyring.Active, Adopted: true}},
		"news.example": {{Selector: "n", Public: "MIIC", File: "/etc/mail/b.key", Stage: keyring.Active, Adopted: true}},
	}
	in.NewKeys = nil
	return in
}

func TestTablesOfWhatWasTakenOver(t *testing.T) {
	in := taking()
	in.Unsafe = []state.Meta{{Path: "/etc/mail/a.key", Mode: 0o600, Owner: opendkim}}
	want := build(t, in)
	st := stage(t, want, "OpenDKIM")
	if d := cmp.Diff([]string{
		"* Mail._domainkey.lab.example",
		".lab.example Mail._domainkey.lab.example:@lab.example",
		"ann@* n._domainkey.news.example",
		"ann@shop.example Mail._domainkey.lab.example",
		"lab.example Mail._domainkey.lab.example",
		"postmaster@lab.example n._domainkey.news.example",
	}, tableRows(content(t, st, SigningTable))); d != "" {
		t.Errorf("the host's own row would change i=, and the domain is signed in part (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{
		"Mail._domainkey.lab.example lab.example:Mail:/etc/mail/a.key",
		"n._domainkey.news.example news.example:n:/etc/mail/b.key",
	}, tableRows(content(t, st, KeyTable))); d != "" {
		t.Error(d)
	}
	if rows := tableRows(content(t, st, TrustedHosts)); rows[len(rows)-1] != "10.20.0.0/16" {
		t.Errorf("trusted %q", rows)
	}
	if text := content(t, st, Conf); strings.Contains(text, "relaxed/simple") || !strings.Contains(text, "simple/simple") {
		t.Errorf("Canonicalization is ours:\n%s", text)
	}
	if got := stage(t, want, "Keys").Metas; len(got) != 1 || got[0].Path != "/etc/mail/a.key" {
		t.Errorf("owners and modes %v", got)
	}
}

// TestProbesOfWhatWasTakenOver: each domain is asked for by an address that its
// own row is for.
func TestProbesOfWhatWasTakenOver(t *testing.T) {
	var got []string
	for _, u := range stage(t, build(t, taking()), "OpenDKIM").Units {
		for _, p := range u.Settled {
			for _, s := range p.Signers {
				got = append(got, s.From+" "+s.Domain+" "+s.Selector)
			}
		}
	}
	if d := cmp.Diff([]string{
		"mailsetup@lab.example lab.example Mail", "postmaster@lab.example news.example n", "root@mail.lab.example lab.example Mail",
	}, got); d != "" {
		t.Error(d)
	}
}
