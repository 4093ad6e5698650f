package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/detect"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// takenKey is a private key that is taken over.
type takenKey struct {
	detect.KeyFile
	handover steps.Handover
	copied   state.Path // where the copy goes, "" for none
	text     []byte     // of a copy that is not there yet
}

// takeKey puts the key of a signing domain into the ledger, as it is found.
func (s *session) takeKey(t *taken, i int) error {
	signer := t.Signers[i]
	wrong := func(hint, format string, a ...any) error {
		return &opendkim.Error{Place: signer.KeyAt, What: fmt.Sprintf("the key of "+signer.Domain+": "+format, a...), Hint: hint}
	}
	p, err := state.ParsePath(signer.KeyFile)
	if err != nil {
		return wrong("correct the path", "%v", err)
	}
	k, known := t.looked[p] // many domains may share it
	if !known {
		k, err = s.lookAtKey(t, p, steps.KeyCopy(signer.Domain, signer.Selector))
	}
	if _, blind := s.Sys.(machine.Unprivileged); blind && err != nil {
		return fail("run it as root (sudo)", "%s: only root can look at the key of %s, which is to be taken over", p, signer.Domain)
	}
	if refusal := (*steps.Refusal)(nil); errors.As(err, &refusal) {
		return wrong(refusal.Hint, "%s", refusal.What)
	}
	if err != nil {
		return wrong("put the file back, or take the row out", "%v", err)
	}
	t.looked[p] = k
	if k.text != nil {
		t.copies[k.copied] = k.text
	}
	if k.handover == steps.Stays && k.Unsafe != "" {
		t.notes = append(t.notes, state.Note{
			Topic: "RequireSafeKeys", Text: k.Unsafe + ", where the key of " + signer.Domain + " is; OpenDKIM was told not to mind, and that stays so " +
				"(opendkim in " + string(spec.HostFile) + ")",
			Do: k.tighter(),
		})
	}
	if bits, err := spec.KeyBits(fmt.Sprint(k.Bits)); err == nil {
		t.Domains[i].KeyBits = bits
	}
	file := p
	if k.copied != "" {
		file = k.copied
	}
	t.keys[signer.Domain] = keyring.Key{
		Selector: signer.Selector, Bits: k.Bits, Public: k.Public, Fingerprint: k.Fingerprint, File: string(file), Adopted: true,
		Stage: keyring.Active, Since: map[keyring.Stage]stamp{keyring.Active: s.Now},
	}
	return nil
}

// lookAtKey decides what becomes of a key.
func (s *session) lookAtKey(t *taken, p, copied state.Path) (takenKey, error) {
	now, err := detect.Key(s.Sys, p, t.signer.User)
	if err != nil {
		return takenKey{}, err
	}
	then, err := detect.Key(s.Sys, p, signerUser)
	if err != nil {
		return takenKey{}, err
	}
	k := takenKey{KeyFile: then}
	access := func(k detect.KeyFile) steps.Access {
		return steps.Access{Hidden: k.Hidden, Unsafe: k.Unsafe, Above: k.Above}
	}
	if k.handover, err = steps.HandOver(now.Path, t.signer, t.loaded, t.safe, access(now), access(then)); err != nil || k.handover != steps.Copied {
		return k, err
	}
	k.copied = copied
	if there, err := detect.Key(s.Sys, copied, signerUser); err == nil && there.Fingerprint == now.Fingerprint {
		return k, nil // of a run whose record was lost
	}
	k.text, err = detect.KeyText(s.Sys, p)
	return k, err
}

// signerUser is whom OpenDKIM runs as from now on.
const signerUser = "opendkim"

// tighter is the command that keeps others from a key which opendkim goes on
// reading.
func (k takenKey) tighter() string {
	if k.Above != "" {
		return "chmod go-w " + string(k.Above)
	}
	return fmt.Sprintf("if nothing else reads it: chown opendkim: %s && chmod 600 %s", k.Path, k.Path)
}

// given are keys that belong to opendkim from now on.
func (t *taken) given() []state.Meta {
	var metas []state.Meta
	for _, k := range t.looked {
		if k.handover == steps.Given {
			why := k.Hidden
			if why == "" {
				why = k.Unsafe
			}
			metas = append(metas, state.Meta{
				Path: k.Path, Mode: 0o600, Owner: state.Owner{User: signerUser, Group: signerUser},
				Why: "OpenDKIM reads it as the user opendkim: " + why,
			})
		}
	}
	slices.SortFunc(metas, func(a, b state.Meta) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(metas, func(a, b state.Meta) bool { return a.Path == b.Path })
}

// copying reports whether a file is a copy that this run makes.
func (t *taken) copying(file string) bool {
	if t == nil {
		return false
	}
	_, made := t.copies[state.Path(file)]
	return made
}

// file is where the key of a domain was found.
func (t *taken) file(domain string) string {
	file := t.keys[domain].File
	for p, k := range t.looked {
		if k.copied != "" && string(k.copied) == file {
			return fmt.Sprintf("%s (opendkim gets a copy, %s)", p, file)
		}
	}
	return file
}
