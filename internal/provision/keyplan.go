package provision

import (
	"context"
	"errors"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// KeyPlan says what a run does with DKIM keys. With only Ledger set, a domain without a
// key that signs gets one.
type KeyPlan struct {
	Ledger keyring.Ledger // as it is now

	// After is the ledger as the run leaves it, but for keys that it makes or
	// withdraws, and During what is written down until that is proven; nil: Ledger.
	During, After keyring.Ledger
	// Successors are the domains that get a second key. One that was made for a run
	// that was undone serves the next run of the same Provisioner.
	Successors []string
	// Until is when no further key is made, zero for never: the run ends with ErrNoTime
	// for each domain that gets none.
	Until time.Time
	// Withdraw are keys whose record and private key go: selectors, by domain.
	Withdraw map[string][]string
	// Replaced are domains whose private key may be missing: another one takes its
	// place.
	Replaced map[string]bool
	// Selector is the one that the command line names, "" for none: no key of
	// another signer takes its place.
	Selector string

	// Permissions are private keys that were here before mailsetup, as OpenDKIM wants
	// them, and Copies the texts of those of which OpenDKIM gets a copy, by its file.
	Permissions []state.Meta
	Copies      map[state.Path][]byte
}

// ErrNoTime is the error, in a state.DomainErrors, of a domain whose key was not made
// before KeyPlan.Until. Those that were made serve the next run of the Provisioner.
var ErrNoTime = errors.New("no time was left to make its key")

// unmade returns ErrNoTime for each pair that is not made, or another error itself.
func unmade(pairs []dkimkeys.Pair, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	left := state.DomainErrors{}
	for _, i := range dkimkeys.Pending(pairs) {
		left[pairs[i].Domain] = ErrNoTime
	}
	return left.Err()
}
