// Package keys provides private keys and the ledger of their lives.
package keys

import (
	"maps"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Create provides the private keys that this run makes, and writes their ledger before
// any record or table names them.
func Create(in step.Input) (state.Stage, []state.Note, error) {
	keys, err := signer.KeyDirectory(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{Dirs: []state.Dir{
		{Path: state.OwnDir, Mode: 0o700, Owner: state.Root},
		{Path: state.LedgerDir, Mode: 0o700, Owner: state.Root},
	}}
	switch {
	case in.Spec.Host.MTA == spec.Exim:
		stage.Dirs = append(stage.Dirs, state.Dir{Path: signer.EximKeyDir, Mode: 0o700, Owner: signer.EximOwner})
	case !in.SignsNothing():
		stage.Dirs = append(stage.Dirs, keys)
	}
	for _, file := range slices.Sorted(maps.Keys(in.Keys.Private)) {
		why := "OpenDKIM refuses keys that others could read"
		if signer.OwnerOf(file) == signer.EximOwner {
			why = "exim4 alone reads its keys"
		}
		stage.Dirs = append(stage.Dirs, state.Dir{Path: file.Dir(), Mode: 0o700, Owner: signer.OwnerOf(file), Why: why})
		stage.Files = append(stage.Files, state.File{
			Path: file, Mode: 0o600, Owner: signer.OwnerOf(file), Content: in.Keys.Private[file], Secret: true,
			Why: "the private key; it never leaves this machine",
		})
	}
	made := map[state.Path]bool{}
	for _, file := range slices.Sorted(maps.Keys(in.Keys.Copies)) {
		if dir := file.Dir(); !made[dir] {
			stage.Dirs = append(stage.Dirs, state.Dir{Path: dir, Mode: 0o700, Owner: signer.OwnerOf(file), Why: "keys that were taken over"})
			made[dir] = true
		}
		stage.Files = append(stage.Files, state.File{
			Path: file, Mode: 0o600, Owner: signer.OwnerOf(file), Content: in.Keys.Copies[file], Secret: true,
			Why: "a copy of a key that is taken over, which the signer could not use where it is; that file stays",
		})
	}
	domains := in.Scope.Domains(in.Spec)
	if in.Keys.Copies != nil { // keys may move of domains of which nothing else has changed
		domains = slices.Values(in.Spec.Domains)
	}
	for d := range domains {
		keys, early := in.Keys.During[d.Name]
		if !early {
			keys = in.Ledger[d.Name]
		}
		if d.SignedBy != "" && len(keys) == 0 {
			continue
		}
		if !isWritten(in, d.Name, keys) {
			stage.Files = append(stage.Files, ledgerFile(d.Name, keys))
		}
	}
	if in.Keys.Copies != nil { // also keys of domains that were removed: they may come back
		for _, name := range slices.Sorted(maps.Keys(in.Ledger)) {
			if !in.Has(name) && !isWritten(in, name, in.Ledger[name]) {
				stage.Files = append(stage.Files, ledgerFile(name, in.Ledger[name]))
			}
		}
	}
	stage.Metas = in.Keys.Permissions
	return stage, nil, nil
}

// Record writes the ledger at the end of the run, once the keys sign or no longer do.
// It removes private keys that nothing needs any more.
func Record(in step.Input) (state.Stage, []state.Note, error) {
	var stage state.Stage
	after := in.Withdrawn()
	for d := range in.Scope.Domains(in.Spec) {
		keys := After(after, d)
		if d.SignedBy != "" && len(keys) == 0 {
			continue
		}
		if !isWritten(in, d.Name, in.Ledger[d.Name]) || !isWritten(in, d.Name, keys) {
			stage.Files = append(stage.Files, ledgerFile(d.Name, keys))
		}
	}
	endDomains(in, &stage)
	return stage, records.RevocationNotes(in), nil
}

// After returns the keys of a domain as the run leaves them.
func After(in step.Input, d spec.Domain) []keyring.Key {
	keys := slices.Clone(in.Ledger[d.Name])
	now, ok := in.Ledger.Signing(d.Name)
	for i := range keys {
		if ok && keys[i].Selector == now.Selector { // a successor waits
			keys[i] = activate(keys[i], in, d)
		}
	}
	return keys
}

// isWritten reports whether the ledger file of a domain is known to have these keys.
func isWritten(in step.Input, domain string, keys []keyring.Key) bool {
	there, ok := in.Keys.OnDisk[domain]
	return ok && keyring.EqualOnDisk(there, keys)
}

// activate makes a domain's first key active. Its primary was seen to serve the record
// by the time this is written; if records are printed, nobody has seen it yet.
func activate(k keyring.Key, in step.Input, d spec.Domain) keyring.Key {
	served := !in.Spec.ByHand(d)
	switch k.Stage {
	case keyring.Active:
		if served && k.Seen.IsZero() {
			k.Seen = in.Now // its DNS was manual until now
		}
		return k
	case keyring.Staged, keyring.Publishing, keyring.Published:
	default:
		return k
	}
	k.Stage = keyring.Active
	k.Since = maps.Clone(k.Since)
	if k.Since == nil {
		k.Since = map[keyring.Stage]time.Time{}
	}
	k.Since[keyring.Active] = in.Now
	if served {
		k.Seen = in.Now
	}
	return k
}

// ledgerFile returns the ledger file of a domain. It may be overwritten whoever changed
// it, since the run has read it.
func ledgerFile(domain string, keys []keyring.Key) state.File {
	return state.File{
		Path: keyring.File(domain), Mode: 0o600, Owner: state.Root, Make: func() []byte { return keyring.MarshalDomain(keys) },
		AdminOwned: true, Why: "the ledger: which key is where in its life",
	}
}
