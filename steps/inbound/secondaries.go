package inbound

import (
	"fmt"
	"time"

	"mailsetup/internal/inbound"
	"mailsetup/internal/state"
)

// WatchesSecondaries reports whether other MX hosts matter to a policy, or did.
func WatchesSecondaries(p inbound.Policy) bool { return p.On() || len(p.MX) > 0 }

// SeeSecondaries writes into a policy which other MX hosts there are, since they pass the
// checks of incoming mail, and returns notes of what changes. Look says which there are, and
// whether every question was answered.
func SeeSecondaries(p *inbound.Policy, now time.Time, look func() ([]inbound.Secondary, bool)) []state.Note {
	*p = p.Clone()
	fresh, gone := p.See(nil, false, now)
	if p.On() {
		found, whole := look()
		fresh, gone = p.See(found, whole, now)
	}
	var notes []state.Note
	note := func(text string) {
		notes = append(notes, state.Note{Topic: "mx", Text: text, Informational: true})
	}
	for _, s := range fresh {
		note(fmt.Sprintf("%s (%s) is another MX of domains here and hands their mail on: it passes the checks of incoming mail. To have it judged: mailsetup inbound --disallow %[2]s", s.Host, s.Address))
	}
	for _, s := range gone {
		note(fmt.Sprintf("%s (%s) is no MX of domains here any more: it passes no longer", s.Host, s.Address))
	}
	return notes
}
