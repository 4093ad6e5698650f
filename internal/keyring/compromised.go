package keyring

import (
	"fmt"
	"time"
)

// What happens to a key of which others may have the private half: it gets a successor
// at once, which signs as soon as its record is seen everywhere; then the key is revoked
// without draining, and its revoked record stays at least as long as mail could be
// under way.

// signsCompromised reports whether the active key is compromised, so that it has to be
// replaced as fast as is safe.
func (s Situation) signsCompromised() bool {
	active, ok := find(s.Keys, Active)
	return ok && active.Compromised
}

// compromisedReason returns why a compromised key gets a successor.
func compromisedReason(k Key) string { return fmt.Sprintf("%s may be known to others", k.Selector) }

// retireCompromised returns the step of a compromised key that no longer signs, if it has
// one of its own: it is revoked instead of drained.
func (s Situation) retireCompromised(k Key) (Transition, bool) {
	if k.Stage != Draining || !k.Compromised || s.Removed {
		return Transition{}, false
	}
	return Transition{Revoke, k.Selector, "somebody else may have its private half"}, true
}

// compromisedWait returns how long the revoked record of a compromised key stays.
func (s Situation) compromisedWait(drain time.Duration) time.Duration {
	return max(s.Policy.Revoke, drain)
}
