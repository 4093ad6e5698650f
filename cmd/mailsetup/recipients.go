package main

import (
	"context"
	"errors"
	"strings"

	"mailsetup/internal/detect"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
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

// readers leaves out report addresses that nobody chose and nobody has: those
// that new domains get by default.
func (s *session) readers(ctx context.Context, want spec.Spec, old *spec.Spec) spec.Spec {
	var proposed []string
	for _, d := range want.Domains {
		if !old.Has(d.Name) && len(want.Host.Defaults.DMARC.RUA) == 0 {
			proposed = append(proposed, d.Name)
		}
	}
	in := steps.Input{Spec: want, Facts: s.facts, Scope: step.Only(proposed...)}
	in.Facts.Recipients = s.resolve(ctx, in)
	return steps.Read(in)
}

// unreadAt says why nobody would read root's mail at the address that somebody
// types in; nil if somebody would.
func (s *session) unreadAt(ctx context.Context, a spec.Answers) error {
	want, _ := a.Spec(nil, s.Now) // what is wrong elsewhere is told elsewhere
	if loop := want.RootLoop(); loop != nil {
		return loop
	}
	domains := map[string]bool{}
	for _, d := range want.Domains {
		domains[d.Name] = true // and reports are not asked about
	}
	in := steps.Input{Spec: want, Facts: s.facts, Scope: step.Scope{}.Skip(domains)}
	in.Facts.Recipients = s.resolve(ctx, in)
	refusal, ok := errors.AsType[*steps.Refusal](steps.Unread(in))
	if !ok {
		return nil
	}
	_, why, _ := strings.Cut(refusal.What, ": ")
	return &spec.BadValue{Field: "address", Value: want.Host.RootAlias, Why: "would not do: " + why, Hint: strings.TrimSuffix(refusal.Hint, ": --root-alias ADDRESS")}
}
