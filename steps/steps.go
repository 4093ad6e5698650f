// Package steps turns what the administrator wants and what was found on the
// machine into the desired state. Everything here is a pure function.
package steps

import (
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Step provides one stage of the desired state.
type Step struct {
	Name  string
	About string
	Build func(Input) (state.Stage, error)
}

// Input is everything a step may look at.
type Input struct {
	Spec  spec.Spec
	Facts state.Facts
	Keys  keyring.Ledger
	// NewKeys are the PEM texts of private keys made by this run, by file.
	NewKeys map[string][]byte
	// Documents are the texts of the TOML files as they should be on disk.
	Documents map[state.Path][]byte
	// Install tells whether missing packages may be installed.
	Install bool
}
