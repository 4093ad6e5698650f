package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Policy says how long the keys of a domain stay in their stages. The zero value never
// rotates and otherwise uses the defaults.
type Policy struct {
	Every  time.Duration // the age at which a key gets a successor; 0 for never
	Drain  time.Duration // how long what stopped signing stays published
	Revoke time.Duration // how long its record is then an empty p=; 0 for not at all
	Lag    time.Duration // how long, at least, a record was seen before its key signs
	Bits   int           // smaller keys get a successor; 0 for none because of that
}

// The waits of a policy that does not say.
const (
	defaultDrain = 14 * 24 * time.Hour
	defaultLag   = time.Hour
)

// Observation is what DNS has of one key. The zero value means that nobody looked,
// which is never taken for "published".
type Observation struct {
	// Published: every server in charge and the resolver have exactly one TXT
	// record at the selector, with our public key; of a revoked key, with an empty p=.
	Published bool
	// Problem says who does not, and what it has instead.
	Problem string
	// Alias: that is about the CNAME of a slot, which somebody else publishes.
	Alias bool
	// MaxCacheTTL is how long others may remember what was there before: the larger
	// of the record's TTL and that of a negative answer (RFC 2308 section 5); in a slot
	// of those in both zones, and of the TTL of the CNAME.
	MaxCacheTTL time.Duration
}

// Situation is everything that decides the next step of a domain's keys.
type Situation struct {
	Keys   []Key
	Policy Policy
	Now    time.Time // by the wall clock, which may be wrong
	// Elapsed is how long each key has certainly been in its stage, by selector.
	Elapsed      map[string]time.Duration
	Observations map[string]Observation // by selector
	// Slots are where new keys of the domain go, none for a selector of their own.
	Slots Slots
	// Rotate starts a rotation that is not due.
	Rotate bool
	// Removed: nobody wants the domain any more. Its keys are withdrawn in their time;
	// none gets a successor, or an empty p=.
	Removed bool
}

// Action is what a transition does.
type Action string

// The actions.
const (
	Generate         Action = "generate" // a key, and publish its record
	ConfirmPublished Action = "confirm"  // the record is seen everywhere: the wait begins
	LostPublished    Action = "lost"     // it is no longer: the wait begins anew later
	Activate         Action = "activate" // sign with it; what signed until now drains
	Revoke           Action = "revoke"   // publish an empty p= instead of the key
	Withdraw         Action = "withdraw" // take the record away, then the private key
)

// Transition is one safe step of one key.
type Transition struct {
	Action   Action
	Selector string // "" for a key that is still to be made
	Why      string
}

// Next returns the steps that are safe now, none if nothing is due. A domain without an
// active key gets no successor here: its first key is made by other commands; its
// draining keys go on to their end.
func Next(s Situation) []Transition {
	var moves []Transition
	for _, k := range s.Keys {
		if m, ok := s.retire(k); ok {
			moves = append(moves, m)
		}
	}
	active, ok := find(s.Keys, Active)
	if !ok || s.Removed {
		return moves
	}
	successor, ok := Successor(s.Keys)
	if !ok {
		if why := s.rotationReason(active); why != "" && s.NoSlot() == "" {
			moves = append(moves, Transition{Action: Generate, Why: why})
		}
		return moves
	}
	if m, ok := s.advanceSuccessor(successor, active); ok {
		moves = append(moves, m)
	}
	return moves
}

// Successor returns the key that will sign after the active one, if there is one.
func Successor(keys []Key) (Key, bool) {
	if _, ok := find(keys, Active); !ok {
		return Key{}, false
	}
	for _, k := range slices.Backward(keys) {
		if k.Stage == Staged || k.Stage == Publishing || k.Stage == Published {
			return k, true
		}
	}
	return Key{}, false
}

func find(keys []Key, stage Stage) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Stage == stage })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// advanceSuccessor returns the next step of a successor.
func (s Situation) advanceSuccessor(k, active Key) (Transition, bool) {
	sight := s.Observations[k.Selector]
	switch {
	case k.Stage == Published && !sight.Published:
		return Transition{LostPublished, k.Selector, cmp.Or(sight.Problem, "its record was not seen")}, true
	case k.Stage == Published && s.Remaining(k) == 0:
		return Transition{Activate, k.Selector, "its record has been seen everywhere for long enough"}, true
	case k.Stage != Published && sight.Published:
		return Transition{ConfirmPublished, k.Selector, "every server has its record"}, true
	}
	return Transition{}, false
}

// retire returns the step of a key that no longer signs.
func (s Situation) retire(k Key) (Transition, bool) {
	if m, ok := s.retireCompromised(k); ok {
		return m, true
	}
	switch {
	case k.SlotZone != "" && k.Stage == Revoked && s.Removed: // nobody looks whether it is cleared
		return Transition{Withdraw, k.Selector, "its domain is removed"}, true
	case k.SlotZone != "" && !s.Removed:
		return s.retireInSlot(k)
	case k.Stage == Draining && s.Remaining(k) == 0 && s.Policy.Revoke > 0 && !s.Removed:
		return Transition{Revoke, k.Selector, "mail that it signed has arrived or come back"}, true
	case k.Stage == Draining && s.Remaining(k) == 0:
		return Transition{Withdraw, k.Selector, "mail that it signed has arrived or come back"}, true
	case k.Stage == Revoked && s.Remaining(k) == 0:
		return Transition{Withdraw, k.Selector, "it has been revoked for long enough"}, true
	}
	return Transition{}, false
}

// Wait returns how long a key has to stay in its stage, 0 for stages that do not end by
// waiting alone.
func (s Situation) Wait(k Key) time.Duration {
	drain := cmp.Or(s.Policy.Drain, defaultDrain)
	switch {
	case k.Stage == Published && s.signsCompromised() && k.SlotZone != "":
		return s.Observations[k.Selector].MaxCacheTTL
	case k.Stage == Published && s.signsCompromised():
		return 0 // nobody can have asked for its selector before
	case k.Stage == Published:
		return max(cmp.Or(s.Policy.Lag, defaultLag), s.Observations[k.Selector].MaxCacheTTL, k.slotLag())
	case k.Stage == Draining && k.Compromised && !s.Removed:
		return 0 // revoked at once, see retireCompromised
	case k.Stage == Draining:
		return drain
	case k.Stage == Revoked && k.Compromised:
		return max(s.compromisedWait(drain), s.clearedWait(k))
	case k.Stage == Revoked:
		return max(s.Policy.Revoke, s.clearedWait(k))
	}
	return 0
}

// Remaining returns how much of its Wait a key still has before it.
func (s Situation) Remaining(k Key) time.Duration {
	return max(0, s.Wait(k)-s.Elapsed[k.Selector])
}

// rotationReason returns why the active key gets a successor, "" if it does not.
func (s Situation) rotationReason(k Key) string {
	switch {
	case k.Compromised:
		return compromisedReason(k)
	case s.Rotate:
		return "you asked for it"
	case k.SlotZone != s.Slots.Zone:
		return s.moveReason(k)
	case k.Bits > 0 && k.Bits < s.Policy.Bits:
		return fmt.Sprintf("%s has %d bits, and %d are wanted", k.Selector, k.Bits, s.Policy.Bits)
	case s.Policy.Every > 0 && s.Age(k) >= s.Policy.Every:
		return k.Selector + " is old enough"
	}
	return ""
}

// Age returns how long the key has been active: by the wall clock, unless it was set
// back since, or the time that has certainly passed if that is more. A wrong clock
// makes a rotation come early or late, nothing worse.
func (s Situation) Age(k Key) time.Duration {
	age := s.Elapsed[k.Selector]
	if since, ok := k.Since[Active]; ok {
		age = max(age, s.Now.Sub(since))
	}
	return age
}

// Apply returns the keys after a transition. A generated key is not among them: it
// comes with its own stage.
func Apply(keys []Key, m Transition, now time.Time) []Key {
	out := slices.Clone(keys)
	for i, k := range out {
		switch {
		case k.Stage == Gone:
		case m.Action == Activate && k.Stage == Active && k.Selector != m.Selector:
			out[i] = k.At(Draining, now)
		case k.Selector != m.Selector:
		case m.Action == Activate:
			out[i] = k.At(Active, now)
		case k.Stage == Revoked && m.Action == ConfirmPublished:
			out[i].Cleared = now
		case k.Stage == Revoked && m.Action == LostPublished:
			out[i].Cleared = time.Time{}
		case m.Action == ConfirmPublished:
			out[i] = k.restage(Published, now)
			if k.Seen.IsZero() {
				out[i].Seen = now
			}
		case m.Action == LostPublished:
			out[i] = k.restage(Publishing, now)
		case m.Action == Revoke:
			out[i] = k.At(Revoked, now)
		case m.Action == Withdraw:
			out[i] = k.At(Gone, now)
		}
		if out[i].Stage != k.Stage {
			out[i].Since = shared(out[i].Since)
		}
	}
	return out
}

// restage returns a key in a stage that it may have been in before, and which begins
// now.
func (k Key) restage(stage Stage, now time.Time) Key {
	out := k.At(stage, now)
	out.Since[stage] = now
	return out
}
