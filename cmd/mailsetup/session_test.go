package main

import (
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// newSession is a session on an empty machine that asks nobody: as below a
// root, DNS is not looked at.
func newSession(f state.Facts) *session {
	return &session{Machine: &machine.Machine{Sys: systemtest.NewMem(), Now: november}, facts: f, keys: keyring.Ledger{}, o: options{root: "/image"}}
}
