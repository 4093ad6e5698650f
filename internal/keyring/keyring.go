// Package keyring is the ledger of DKIM keys: where each is in its life, and which
// step is safe next. Pure: bytes in, bytes out.
package keyring

import "time"

// Stage of a key's life, in the order in which it passes through them.
type Stage string

// The life of a key.
const (
	Staged     Stage = "staged"
	Publishing Stage = "publishing"
	Published  Stage = "published"
	Active     Stage = "active"
	Draining   Stage = "draining"
	Revoked    Stage = "revoked"
	Gone       Stage = "gone"
)

// Placeholder stands for a public key that is made only after the administrator has
// confirmed the plan.
const Placeholder = "(public key, made after you confirm)"

// Key is one DKIM key. The private half is in the file, never here.
type Key struct {
	Selector    string
	Bits        int
	Public      string // base64 of the SubjectPublicKeyInfo, the p= of the record
	Fingerprint string // SHA256:… of the SubjectPublicKeyInfo
	File        string // absolute path of the private key
	// Adopted: the file was there before mailsetup, and stays when the key goes.
	Adopted bool
	// Compromised: somebody else may have the private half, so that its record
	// is revoked as soon as another key signs.
	Compromised bool
	// SlotZone is the zone in which the record of a key of a slot stands, "" for a key
	// whose record stands in the domain itself. See Target.
	SlotZone string
	Stage    Stage
	// Cleared is since when everybody was found to have the empty p= of a revoked key
	// of a slot, zero for never or no longer.
	Cleared time.Time
	// Seen is when DNS was first found to serve the record, zero for never.
	Seen time.Time
	// Since is when each stage was reached, successes only.
	Since map[Stage]time.Time
}

// Pending reports whether the key is not made yet.
func (k Key) Pending() bool { return k.Public == Placeholder }

// past reports whether the key is gone from a slot, which may have another key now.
func (k Key) past() bool { return k.SlotZone != "" && k.Stage == Gone }

// Ledger holds the keys of every domain, oldest first.
type Ledger map[string][]Key
