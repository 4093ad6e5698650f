package adopt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailsetup/internal/detect/signer"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// keyFile is a private key that is taken over.
type keyFile struct {
	signer.KeyFile
	handover Handover
	copyTo   state.Path // "" for none
	text     []byte     // of a copy that is not there yet
}

// keyReader reads the private keys of a set-up. Several domains may share one.
type keyReader struct {
	files        system.Reader
	process      Process
	unprivileged bool // what only root may read cannot be read
	now          time.Time
	read         map[state.Path]keyFile
}

// add adds the key of a signing domain to the set-up.
func (r *keyReader) add(t *Setup, s opendkim.Signer, d *spec.Domain) error {
	wrong := func(remedy, format string, a ...any) error {
		return &opendkim.Error{Place: s.KeyAt, What: fmt.Sprintf("the key of "+s.Domain+": "+format, a...), Hint: remedy}
	}
	p, err := state.ParsePath(s.KeyFile)
	if err != nil {
		return wrong("correct the path", "%v", err)
	}
	k, known := r.read[p]
	if !known {
		k, err = r.examine(p, copyPath(s.Domain, s.Selector))
	}
	if err != nil && r.unprivileged {
		return hint.New(hint.AsRoot, "%s: only root can look at the key of %s", p, s.Domain)
	}
	if refused, ok := errors.AsType[*hint.Error](err); ok {
		return wrong(refused.Lines[0], "%s", refused)
	}
	if err != nil {
		return wrong("put the file back, or take the row out", "%v", err)
	}
	r.read[p] = k
	if k.text != nil {
		t.Copies[k.copyTo] = k.text
	}
	if k.handover == KeepFile && k.Unsafe != "" {
		t.Notes = append(t.Notes, state.Note{
			Topic: "RequireSafeKeys", Text: k.Unsafe + ", where the key of " + s.Domain + " is; OpenDKIM was told not to mind, and that stays so " +
				"(opendkim in " + string(spec.HostFile) + ")",
			Action: k.closeToOthers(),
		})
	}
	if bits, err := spec.KeyBits(fmt.Sprint(k.Bits)); err == nil {
		d.KeyBits = bits
	}
	file := cmp.Or(k.copyTo, p)
	t.Keys[s.Domain] = keyring.Key{
		Selector: s.Selector, Bits: k.Bits, Public: k.Public, Fingerprint: k.Fingerprint, File: string(file), Adopted: true,
		Stage: keyring.Active, Since: map[keyring.Stage]time.Time{keyring.Active: r.now},
	}
	return nil
}

// examine reads a key and decides what happens to its file.
func (r *keyReader) examine(p, copyTo state.Path) (keyFile, error) {
	now, err := signer.Key(r.files, p, r.process.User)
	if err != nil {
		return keyFile{}, err
	}
	then, err := signer.Key(r.files, p, signerUser)
	if err != nil {
		return keyFile{}, err
	}
	k := keyFile{KeyFile: then}
	if k.handover, err = HandOver(r.process, now, then); err != nil || k.handover != CopyFile {
		return k, err
	}
	k.copyTo = copyTo
	if there, err := signer.Key(r.files, copyTo, signerUser); err == nil && there.Fingerprint == now.Fingerprint {
		return k, nil // of a run whose record was lost
	}
	k.text, err = signer.KeyText(r.files, p)
	return k, err
}

// closeToOthers returns the command that closes a key file to other users, if opendkim
// goes on using it.
func (k keyFile) closeToOthers() string {
	if k.Directory != "" {
		return "chmod go-w " + string(k.Directory)
	}
	return fmt.Sprintf("if nothing else reads it: chown opendkim: %s && chmod 600 %s", k.Path, k.Path)
}

// permissions returns the new owners and modes of key files.
func (r *keyReader) permissions() []state.Meta {
	var metas []state.Meta
	for _, k := range r.read {
		if k.handover == GiveFile {
			metas = append(metas, state.Meta{
				Path: k.Path, Mode: 0o600, Owner: state.Owner{User: signerUser, Group: signerUser},
				Why: "OpenDKIM reads it as the user opendkim: " + cmp.Or(k.Unreadable, k.Unsafe),
			})
		}
	}
	slices.SortFunc(metas, func(a, b state.Meta) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(metas, func(a, b state.Meta) bool { return a.Path == b.Path })
}

// location names the file of a key for messages.
func (r *keyReader) location(k keyring.Key) string {
	for p, read := range r.read {
		if read.copyTo != "" && string(read.copyTo) == k.File {
			return fmt.Sprintf("%s (opendkim gets a copy, %s)", p, k.File)
		}
	}
	return k.File
}
