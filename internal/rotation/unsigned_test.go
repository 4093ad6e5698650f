package rotation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// An exim4 that sends unsigned tells nobody. Root is told within the hour, in a file that
// needs no mail server, once a day.
func TestEximSendsUnsigned(t *testing.T) {
	s := watching(t)
	s.sp.Host.MTA = spec.Exim
	s.mem.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeExim {
			return errors.New("leaves without a signature")
		}
		return s.probe(p)
	}
	for range 3 {
		_, err := s.rotator().Run(t.Context(), rotation.Options{})
		if err == nil || !strings.Contains(err.Error(), "mail does not leave signed") {
			t.Fatalf("the run says %v", err)
		}
		s.now = s.now.Add(time.Hour)
	}
	const subject = "Subject: mail.lab.example: exim4 does not sign as it should\n"
	if text := s.rootMail(); strings.Count(text, subject) != 1 || !strings.Contains(text, "\nhint: ") {
		t.Errorf("root's mailbox is\n%s", text)
	}
}

// A run that is interrupted while Exim is asked is no reason to tell root of it, nor to forget
// what root was told.
func TestInterruptedWhileEximIsAsked(t *testing.T) {
	s := watching(t)
	s.sp.Host.MTA = spec.Exim
	ctx, cancel := context.WithCancel(t.Context())
	stop := false
	s.mem.OnProbe = func(p state.Probe) error {
		switch {
		case p.Kind != state.ProbeExim:
			return s.probe(p)
		case stop:
			cancel()
			return ctx.Err()
		}
		return errors.New("leaves without a signature")
	}
	for _, stop = range []bool{false, true, false} {
		ctx, cancel = context.WithCancel(t.Context())
		if _, err := s.rotator().Run(ctx, rotation.Options{}); err == nil {
			t.Fatal("no error")
		}
		cancel()
		s.now = s.now.Add(time.Hour)
	}
	if text := s.rootMail(); strings.Count(text, "Subject: ") != 1 {
		t.Errorf("root's mailbox is\n%s", text)
	}
}
