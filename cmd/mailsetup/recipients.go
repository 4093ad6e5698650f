package main

import (
	"context"

	"mailsetup/internal/facts"
)

// recipients find out what Postfix will do with mail for the addresses of the
// wish, and refuse one that nobody has. Of a tree nothing can be said.
func (s *session) recipients(ctx context.Context, w *work) (err error) {
	if s.steps == nil && s.Image == nil {
		w.input.Facts.Recipients, err = facts.CheckRecipients(ctx, source{s.Sys}, w.input, w.old)
	}
	return err
}
