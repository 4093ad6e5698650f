package provision_test

import (
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// twoSigned is a request about two domains that rspamd signs: the key of one is a
// file, that of the other is not known.
func twoSigned(t *testing.T) (*world, provision.Request, *keygen.Key) {
	t.Helper()
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.Put("/var/lib/rspamd/a.key", state.Object{Kind: state.Regular, Mode: 0o400, Owner: state.Root, Content: key.PEM()})
	w.milters = []state.Milter{{
		Endpoint: "inet:localhost:11332", Addresses: []string{"localhost:11332"}, Program: state.Program{Kind: state.RspamdProgram},
		Signatures: []state.Signature{
			{Domain: "a.example", Selector: "mail", Key: "/var/lib/rspamd/a.key"}, {Domain: "b.example", Selector: "mail"},
		},
	}}
	sp := lab(t)
	sp.Domains = []spec.Domain{
		{Name: "a.example", Selector: "202611", KeyBits: 2048, TTL: 60}, {Name: "b.example", Selector: "202611", KeyBits: 2048, TTL: 60},
	}
	sp.Host.Domain = "a.example"
	who := state.Question{
		ID: "signer", Kind: state.AskSigner, Subject: "inet:localhost:11332", Domains: []string{"a.example", "b.example"}, Declined: "it goes on.",
	}
	return w, w.request(sp, askingOnce(who)), key
}

// A yes brings a copy of the key where its file is known, under its selector; the
// others get a new one.
func TestAnotherSignersKeyIsCopied(t *testing.T) {
	w, r, key := twoSigned(t)
	w.answers["signer"] = true
	d, err := w.plan(r)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := d.Input.Ledger.Signing("a.example")
	if a.Selector != "mail" || a.Public != key.Public() || a.Bits != 1024 || a.File != "/etc/dkimkeys/a.example/mail.private" || a.Adopted {
		t.Errorf("%+v", a)
	}
	if got := string(d.Input.Keys.Private["/etc/dkimkeys/a.example/mail.private"]); got != string(key.PEM()) {
		t.Error("the file is not a copy")
	}
	b, _ := d.Input.Ledger.Signing("b.example")
	if b.Selector != "202611" || !b.Pending() || len(d.Input.Keys.Private) != 2 {
		t.Errorf("%+v, %d new keys", b, len(d.Input.Keys.Private))
	}
	if d.Input.Spec.Domains[0].Selector != "mail" || r.Want.Domains[0].Selector != "202611" {
		t.Errorf("the spec has %q, and the one that was given %q", d.Input.Spec.Domains[0].Selector, r.Want.Domains[0].Selector)
	}
}

// A no makes no key; one that signs here already drains.
func TestSigningIsLeftToAnother(t *testing.T) {
	w, r, _ := twoSigned(t)
	r.Keys.Ledger = keyring.Ledger{"b.example": {{Selector: "old", Public: "x", Stage: keyring.Active}}}
	d, err := w.plan(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range d.Input.Spec.Domains {
		if _, signs := d.Input.Ledger.Signing(domain.Name); signs || domain.SignedBy != spec.ByOther {
			t.Errorf("%s: %+v", domain.Name, d.Input.Ledger[domain.Name])
		}
	}
	if b := d.Input.Ledger["b.example"]; len(b) != 1 || b[0].Stage != keyring.Draining || len(d.Input.Keys.Private) != 0 {
		t.Errorf("%+v, %d new keys", b, len(d.Input.Keys.Private))
	}
	if r.Want.Domains[0].SignedBy != "" {
		t.Error("the spec that was given changed")
	}
}
