package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
)

// furnish writes what the administrator and earlier runs left of domains, by
// number, below a root: their TOML files, ledgers and keys. They share one key,
// since making ten thousand takes a quarter of an hour; each has its own file.
func furnish(root string, from, to int) error {
	key, err := keygen.Generate(2048)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if err := furnishDomain(root, domain(i), key); err != nil {
			return err
		}
	}
	return nil
}

func furnishDomain(root, name string, key *keygen.Key) error {
	d := wished(name)
	k := keyring.Key{
		Selector: d.Selector, Bits: 2048, Public: key.Public(), Fingerprint: key.Fingerprint(),
		File: string(signer.KeyFile(name, d.Selector)), Stage: keyring.Active,
		Since: map[keyring.Stage]time.Time{keyring.Staged: today, keyring.Publishing: today, keyring.Active: today},
	}
	for _, f := range []struct {
		path string
		mode os.FileMode
		text []byte
	}{
		{string(spec.DomainFile(name)), 0o644, spec.MarshalDomain(d)},
		{string(keyring.File(name)), 0o600, keyring.MarshalDomain([]keyring.Key{k})},
		{k.File, 0o600, key.PEM()},
	} {
		p := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return fmt.Errorf("furnish: %w", err)
		}
		if err := os.WriteFile(p, f.text, f.mode); err != nil {
			return fmt.Errorf("furnish: %w", err)
		}
	}
	return nil
}
