package apply

import (
	"context"
	"errors"
	"slices"

	"mailsetup/internal/system"
)

// update sends the stage's updates, one zone after the other. An update that a primary
// certainly did not carry out need not be taken back, so a run that meets a dead
// primary can still be undone completely.
func (r *run) update(ctx context.Context, st *stage) error {
	for _, u := range st.Updates {
		r.o.Progress(Event{Kind: UpdateBegins, Stage: st.Name, Update: u})
		st.sent++
		if err := r.s.Update(ctx, u); err != nil {
			if errors.Is(err, system.ErrUntouched) {
				st.sent--
			}
			return err
		}
		r.report.Zones++
	}
	return nil
}

// updates takes back the updates that were, or may have been, carried out.
func (u *undo) updates(ctx context.Context, st *stage) {
	for _, up := range slices.Backward(st.Updates[:st.sent]) {
		back := up.Inverse()
		u.o.Progress(Event{Kind: UpdateBegins, Stage: st.Name, Update: back})
		u.addError(u.s.Update(ctx, back))
	}
}
