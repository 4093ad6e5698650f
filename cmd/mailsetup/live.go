package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/livepath"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

const signerAsked = "The signer was asked, and signs mail of this server."

// wholeWay sends messages of one domain all the way through Postfix, and says
// what was proven. Notes may tell why a signature does not hold.
func (s *session) wholeWay(ctx context.Context, w *work, notes []state.Note) (proven string, whole bool, err error) {
	senders := steps.Senders(w.input)
	switch {
	case len(senders) == 0:
		return "", false, nil // no key signs yet, or another program does
	case s.facts.Postfix == nil:
		return signerAsked, false, nil
	}
	s.c.say("does a message arrive signed, all the way through Postfix")
	res, err := livepath.Probe(ctx, s.Sys, livepath.Request{Postfix: s.facts.Postfix, SMTP: s.takesMail(), Signers: senders})
	if err != nil {
		return "", false, err
	}
	if broken := res.Broken(); len(broken) > 0 {
		return "", false, brokenOnTheWay(broken[0], notes)
	}
	if len(res.Proven()) == 0 {
		return signerAsked + " " + res.Sentence(), false, nil
	}
	return res.Sentence(), true, nil
}

// takesMail is where Postfix takes mail by SMTP, also if it did not run yet when
// the machine was looked at.
func (s *session) takesMail() string {
	p := s.facts.Postfix
	smtpd := func(v state.Service) bool { return v.Name == "smtp/inet" || v.Name == "25/inet" }
	if s.facts.SMTPAddress == "" && slices.ContainsFunc(p.Services, smtpd) {
		return "127.0.0.1:25"
	}
	return s.facts.SMTPAddress
}

// brokenOnTheWay is the error of a message whose signature does not hold where it
// arrives, although the signer made one that does.
func brokenOnTheWay(d livepath.Delivery, notes []state.Note) error {
	text := fmt.Sprintf("mail does not leave signed: a message from %s, by %s and Postfix's %s, arrived, but %s", d.Signer.From, d.Way, d.Transport, d.Broken)
	if d.EightBit {
		text += " (of a message with 8-bit text)"
	}
	if len(d.Changed) > 0 {
		text += ". On its way were changed: " + strings.Join(d.Changed, ", ")
	}
	hint := "postconf -n | grep -E 'smtp_(generic_maps|.*checks|discard_ehlo)' and postconf -P show what Postfix changes after signing; other milters and a content filter may do so, too"
	var named []string
	for _, n := range notes {
		if strings.HasPrefix(n.Topic, "smtp_") {
			named = append(named, n.Text+"; "+n.Do)
		}
	}
	if len(named) > 0 {
		hint = strings.Join(named, "\n")
	}
	return fail(hint, "%s", text)
}
