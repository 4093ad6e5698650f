package keys

import (
	"maps"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// endDomains adds the end of the leaving domains to a stage: their keys drain from now
// on, or are gone.
func endDomains(in step.Input, stage *state.Stage) {
	after := in.Withdrawn()
	for _, name := range in.Leaving() {
		keys := keyring.Drain(after.Ledger[name], in.Now)
		if len(keys) == 0 {
			continue
		}
		if !isWritten(in, name, keys) {
			stage.Files = append(stage.Files, ledgerFile(name, keys))
		}
		if !slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Stage != keyring.Gone }) {
			stage.Discard = append(stage.Discard, keyring.LastCheckFile(name))
		}
	}
	stage.Discard = append(stage.Discard, unneededKeys(after, in.Keys.Withdraw)...)
}

// unneededKeys returns the private keys that nothing needs any more, and the
// directories that are empty then, with the copies that a mail server had which has another one
// in its place now. It leaves keys that an administrator put there.
func unneededKeys(in step.Input, retire map[string][]string) []state.Path {
	if len(retire) == 0 {
		return nil
	}
	needed := map[string]bool{}
	for _, keys := range in.Ledger {
		for _, k := range keys {
			if k.Stage != keyring.Gone {
				needed[k.File] = true
			}
		}
	}
	other := in.Spec.Host
	other.MTA = map[bool]string{true: "", false: spec.Exim}[other.MTA == spec.Exim]
	var list []state.Path
	for _, domain := range slices.Sorted(maps.Keys(retire)) {
		for _, k := range in.Ledger[domain] {
			file := signer.KeyFileOf(in.Spec.Host, domain, k.Selector)
			if !slices.Contains(retire[domain], k.Selector) || k.Adopted || k.File != string(file) || needed[k.File] {
				continue
			}
			list = append(list, file)
			if before := signer.KeyFileOf(other, domain, k.Selector); !needed[string(before)] {
				list = append(list, before)
			}
		}
		list = append(list, signer.KeyFileOf(in.Spec.Host, domain, "").Dir(), signer.KeyFileOf(other, domain, "").Dir())
	}
	return list
}
