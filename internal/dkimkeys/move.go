package dkimkeys

import (
	"slices"

	detect "mailsetup/internal/detect/signer"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/signer"
)

// Move returns the ledger of a host whose mail server takes the place of another one, with
// each key in the file from which it will sign, nil where nothing moves, and the texts of the
// copies that are not there yet. The files of the other mail server stay, for a way back, until
// the key is deleted.
func Move(files system.Reader, h spec.Host, ledger keyring.Ledger) (keyring.Ledger, map[state.Path][]byte, error) {
	var moved keyring.Ledger
	copies, owner := map[state.Path][]byte{}, signer.OwnerOf(signer.KeyFileOf(h, "", ""))
	for domain, keys := range ledger {
		for i, k := range keys {
			if k.File == "" || k.Stage == keyring.Gone || signer.OwnerOf(state.Path(k.File)) == owner {
				continue
			}
			to := signer.KeyFileOf(h, domain, k.Selector)
			if o, err := files.Stat(state.Path(k.File)); err != nil || o.Kind == state.Absent {
				continue // Check says so of a key that signs
			}
			if err := CheckMatchesRecord(files, domain, k); err != nil {
				return nil, nil, err
			}
			if moved == nil {
				moved = keyring.Ledger{}
				for name, all := range ledger {
					moved[name] = slices.Clone(all)
				}
			}
			is := &moved[domain][i]
			is.File, is.Adopted = string(to), false
			if o, err := files.Stat(to); err == nil && o.Kind != state.Absent && CheckMatchesRecord(files, domain, *is) == nil {
				continue // of before
			}
			var err error
			if copies[to], err = detect.KeyText(files, state.Path(k.File)); err != nil {
				return nil, nil, err
			}
		}
	}
	return moved, copies, nil
}
