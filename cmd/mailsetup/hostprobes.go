package main

import (
	"context"
	"time"

	"mailsetup/internal/state"
	"mailsetup/steps"
)

// hostProbes asks whether the host does what its files say.
func (s *session) hostProbes(ctx context.Context, w *work) error {
	if err := s.signs(ctx, w); err != nil {
		return err
	}
	if s.facts.SMTPAddress == "" {
		return nil // a null client; whether Postfix runs was seen with the facts
	}
	err := s.Sys.Probe(ctx, state.Probe{Kind: state.ProbeSMTP, Address: s.facts.SMTPAddress, Within: 10 * time.Second})
	if err != nil && ctx.Err() == nil {
		return fail("systemctl restart "+s.facts.Postfix.Unit+"; if it does not help: journalctl -u "+s.facts.Postfix.Unit+" -n 20", "Postfix takes no mail, although the files are as they should be: %w", err)
	}
	return ctx.Err()
}

// halted is the error of a unit that somebody has stopped or masked. One that is
// masked keeps any run from its end.
func (s *session) halted(w *work, maskedOnly bool) error {
	if s.Image != nil || s.keyPlan != nil {
		return nil
	}
	for _, h := range steps.Halted(w.input) {
		if h.Masked || !maskedOnly {
			return fail(h.Do, "%s", h.Text)
		}
	}
	return nil
}
