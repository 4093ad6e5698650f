package main

import (
	"bytes"
	"testing"

	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
)

// A domain that is left to another signer gets no key of ours by any run.
func TestNoKeyIsMissedWhereAnotherSigns(t *testing.T) {
	said := &bytes.Buffer{}
	s := &session{c: console{out: said, err: said}, Machine: &machine.Machine{Image: &system.Image{}}}
	s.keysUnknown([]spec.Domain{{Name: "a.example", SignedBy: spec.ByOther}})
	if said.String() != "" {
		t.Errorf("said %q", said)
	}
	s.keysUnknown([]spec.Domain{{Name: "a.example", SignedBy: spec.ByOther}, {Name: "b.example"}})
	if want := "no key yet, so no DKIM record: b.example\nhint: mailsetup init makes it; in a directory, with --root-keys\n"; said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
}
