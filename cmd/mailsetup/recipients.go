package main

import (
	"context"

	"mailsetup/internal/detect"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// recipients find out what Postfix will do with mail for the addresses of the
// wish, and refuse one that nobody has.
// What was so before the run, and stays so, is told of at its end.
func (s *session) recipients(ctx context.Context, w *work) error {
	w.input.Facts.Recipients = s.resolve(ctx, w.input)
	err := steps.Unread(w.input)
	if err == nil || w.old == nil {
		return err
	}
	was := w.input
	was.Spec = *w.old
	was.Facts.Recipients = s.resolve(ctx, was)
	return steps.UnreadSince(was, w.input)
}

// resolve asks for all of them. Of a tree, and of settings that an earlier
// installation left, nothing can be said.
func (s *session) resolve(ctx context.Context, in steps.Input) map[string]state.Recipient {
	list := steps.Addressees(in)
	if len(list) == 0 || s.steps != nil || s.Image != nil || in.Facts.Postfix == nil && s.exists(mainCf) {
		return nil
	}
	var addresses []string
	for _, a := range list {
		addresses = append(addresses, a.Address)
	}
	return detect.Recipients(ctx, source{s.Sys}, detect.Mail{
		Settings: steps.PostfixSettings(in), Aliases: steps.AliasesText(in),
		Route: steps.MailRoutes(in),
	}, addresses)
}
