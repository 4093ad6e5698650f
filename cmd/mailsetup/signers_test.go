package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps"
)

// twoSigned is a run about two domains that rspamd signs: the key of one is a
// file, that of the other is not known.
func twoSigned(t *testing.T) (*session, *work, state.Question, *keygen.Key) {
	t.Helper()
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	files.Put("/var/lib/rspamd/a.key", state.Object{Kind: state.Regular, Mode: 0o400, Owner: state.Root, Content: key.PEM()})
	s := &session{Machine: &machine.Machine{Sys: files, Now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}}
	sp := spec.Spec{Domains: []spec.Domain{{Name: "a.example", Selector: "202611", KeyBits: 2048}, {Name: "b.example", Selector: "202611", KeyBits: 2048}}}
	w := &work{input: steps.Input{
		Spec: sp, NewKeys: map[state.Path][]byte{}, Keys: keyring.Ledger{},
		Milters: []state.Milter{{
			Endpoint: "inet:localhost:11332", Addresses: []string{"localhost:11332"}, Program: state.Program{Kind: state.RspamdProgram},
			Signatures: []state.Signature{
				{Domain: "a.example", Selector: "mail", Key: "/var/lib/rspamd/a.key"}, {Domain: "b.example", Selector: "mail"},
			},
		}},
	}}
	for _, d := range sp.Domains {
		w.fresh = append(w.fresh, dkimkeys.NewPair(d, "202611", s.Now))
	}
	dkimkeys.AddPairs(&w.input, w.fresh)
	return s, w, state.Question{Kind: state.AskSigner, Subject: "inet:localhost:11332", Domains: []string{"a.example", "b.example"}}, key
}

// A yes brings a copy of the key where its file is known, under its selector; the
// others get a new one.
func TestAnotherSignersKeyIsCopied(t *testing.T) {
	s, w, q, key := twoSigned(t)
	if !s.signerChosen(w, q, true) {
		t.Error("the wish did not change")
	}
	a, _ := w.input.Keys.Signing("a.example")
	if a.Selector != "mail" || a.Public != key.Public() || a.Bits != 1024 || a.File != "/etc/dkimkeys/a.example/mail.private" || a.Adopted {
		t.Errorf("%+v", a)
	}
	if got := string(w.input.NewKeys["/etc/dkimkeys/a.example/mail.private"]); got != string(key.PEM()) {
		t.Error("the file is not a copy")
	}
	b, _ := w.input.Keys.Signing("b.example")
	if b.Selector != "202611" || !b.Pending() {
		t.Errorf("%+v", b)
	}
	if len(w.fresh) != 1 || w.fresh[0].Domain != "b.example" || len(w.input.NewKeys) != 2 || w.input.Spec.Domains[0].Selector != "mail" {
		t.Errorf("fresh %v, %d new keys, %+v", w.fresh, len(w.input.NewKeys), w.input.Spec.Domains)
	}
}

// A selector that was asked for, or was used before, is no reason to refuse: the
// domain gets a new key.
func TestAnotherSignersKeyIsNotCopied(t *testing.T) {
	for _, before := range []func(*session){
		func(s *session) { s.asksSelector = "mine" },
		func(s *session) { s.keys = keyring.Ledger{"a.example": {{Selector: "mail", Stage: keyring.Gone}}} },
	} {
		s, w, q, _ := twoSigned(t)
		before(s)
		s.signerChosen(w, q, true)
		if a, _ := w.input.Keys.Signing("a.example"); a.Selector != "202611" || !a.Pending() {
			t.Errorf("%+v", a)
		}
	}
}

// A no makes no key; one that signs here already drains.
func TestSigningIsLeftToAnother(t *testing.T) {
	s, w, q, _ := twoSigned(t)
	w.fresh = w.fresh[:1]
	w.input.Keys = keyring.Ledger{
		"a.example": w.input.Keys["a.example"],
		"b.example": {{Selector: "old", Public: "x", Stage: keyring.Active}},
	}
	if !s.signerChosen(w, q, false) {
		t.Error("the wish did not change")
	}
	for _, d := range w.input.Spec.Domains {
		if _, signs := w.input.Keys.Signing(d.Name); signs || d.SignedBy != "other" {
			t.Errorf("%s: %+v", d.Name, w.input.Keys[d.Name])
		}
	}
	if b := w.input.Keys["b.example"]; len(b) != 1 || b[0].Stage != keyring.Draining || len(w.fresh) != 0 {
		t.Errorf("%+v, fresh %v", b, w.fresh)
	}
}

// A dry run that may not look at everything asks no milter, and says so.
func TestADryRunWithoutRootAsksNobody(t *testing.T) {
	s, w, _, _ := twoSigned(t)
	var said strings.Builder
	s.c = console{err: &said}
	s.Sys = machine.Unprivileged{System: s.Sys}
	w.input.Milters = nil
	s.asker = func(context.Context, string, string, state.Client, func(string) ([]string, error)) ([]state.Signature, error) {
		t.Error("a milter was asked")
		return nil, nil
	}
	w.input.Facts.Postfix = &state.Postfix{
		Raw:      map[string]string{"smtpd_milters": "inet:localhost:11332"},
		Services: []state.Service{{Name: "smtp/inet", Command: "smtpd"}},
	}
	s.askMilters(t.Context(), w)
	if !strings.Contains(said.String(), "not root: whether other milters sign was not asked: inet:localhost:11332") || w.input.MiltersAsked ||
		slices.ContainsFunc(w.input.Milters, func(m state.Milter) bool { return m.Asked }) {
		t.Errorf("%q, %+v", said.String(), w.input.Milters)
	}
}

// A domain that is left to another signer gets no key of ours by any run.
func TestNoKeyIsMissedWhereAnotherSigns(t *testing.T) {
	said := &bytes.Buffer{}
	s := &session{c: console{out: said, err: said}, Machine: &machine.Machine{Image: &system.Image{}}}
	s.keysUnknown([]spec.Domain{{Name: "a.example", SignedBy: spec.ByOther}})
	if said.String() != "" {
		t.Errorf("said %q", said)
	}
	s.keysUnknown([]spec.Domain{{Name: "a.example", SignedBy: spec.ByOther}, {Name: "b.example"}})
	if want := "no key yet, so no DKIM record: b.example\nhint: sudo mailsetup init makes it\n"; said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
}
