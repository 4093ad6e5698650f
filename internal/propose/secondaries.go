package propose

import (
	"context"
	"fmt"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// seeSecondaries writes into a spec which other MX hosts its domains have, since they pass
// the checks of incoming mail, and notes what changes.
func (d *draft) seeSecondaries(ctx context.Context, want *spec.Spec) {
	in := &want.Host.Inbound
	if !in.On() && len(in.MX) == 0 || d.Root != "" {
		return
	}
	*in = in.Clone()
	fresh, gone := in.See(nil, false, d.Now)
	if in.On() {
		found, whole := d.Secondaries(ctx, *want, d.Facts)
		fresh, gone = in.See(found, whole, d.Now)
	}
	note := func(text string) {
		d.secondaries = append(d.secondaries, state.Note{Topic: "mx", Text: text, Informational: true})
	}
	for _, s := range fresh {
		note(fmt.Sprintf("%s (%s) is another MX of domains here and hands their mail on: it passes the checks of incoming mail. To have it judged: mailsetup inbound --disallow %[2]s", s.Host, s.Address))
	}
	for _, s := range gone {
		note(fmt.Sprintf("%s (%s) is no MX of domains here any more: it passes no longer", s.Host, s.Address))
	}
}
