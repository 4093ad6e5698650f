package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps/step"
)

// logged is a machine whose Postfix wrote lines to the journal.
type logged struct {
	system.System
	lines  []string
	recent []string // since the run began
}

func (l logged) Log(_ context.Context, unit string, since time.Time, _ int) ([]string, error) {
	switch {
	case unit != "postfix.service":
		return nil, nil
	case since.After(november.Add(-2 * time.Minute)):
		return l.recent, nil
	}
	return l.lines, nil
}

// running is a world with a Postfix that takes mail.
func running(t *testing.T, probe func(state.Probe) error, lines ...string) *world {
	t.Helper()
	w := signed(t, probe)
	w.facts.Postfix, w.facts.SMTPAddress = &state.Postfix{Unit: "postfix.service"}, "127.0.0.1:25"
	w.facts.Daemons = map[string]state.Daemon{"postfix.service": {Running: true}}
	w.machine.Sys = logged{System: w.Mem, lines: lines}
	return w
}

func deaf(p state.Probe) error {
	if p.Kind == state.ProbeGreeting {
		return errors.New("smtp 127.0.0.1:25: no greeting")
	}
	return nil
}

// A Postfix that answers nobody would fail the run in the end: that is said before
// anything is planned, in a dry run as well, with what its smtpd said as it died.
func TestAPostfixThatDoesNotAnswer(t *testing.T) {
	const head = "Postfix does not answer on port 25 already now: "
	fatal := []string{"warning: process /usr/lib/postfix/sbin/smtpd pid 7 exit status 1", "fatal: old", "fatal: no SASL authentication mechanisms", "warning: bad command startup -- throttling"}
	for name, c := range map[string]struct {
		lines  []string
		change func(w *world, r *provision.Request)
		want   string
	}{
		"the reason is known": {fatal, nil, head + "fatal: no SASL authentication mechanisms"},
		"it is not":           {fatal[:1], nil, head + "smtp 127.0.0.1:25: no greeting"},
		"it died just now": {fatal, func(w *world, _ *provision.Request) {
			w.machine.Sys = logged{w.Mem, fatal, []string{"fatal: in parameter smtpd_relay_restrictions"}}
		}, head + "fatal: in parameter smtpd_relay_restrictions"},
		"in a dry run":          {fatal, func(w *world, _ *provision.Request) { w.options.DryRun = true }, head + "fatal: no SASL authentication mechanisms"},
		"it takes none by SMTP": {fatal, func(w *world, r *provision.Request) { r.Facts.SMTPAddress = "" }, ""},
		"it does not run":       {fatal, func(w *world, r *provision.Request) { r.Facts.Daemons = nil }, ""},
		"about keys alone":      {fatal, func(w *world, r *provision.Request) { r.Proof = provision.ProveSigner }, ""},
		"about one domain":      {fatal, func(w *world, r *provision.Request) { r.Scope = step.Only("lab.example") }, ""},
	} {
		w := running(t, deaf, c.lines...)
		r := w.request(lab(t), acting())
		if c.change != nil {
			c.change(w, &r)
		}
		before := systemtest.Tree(w.Files(), nil)
		_, err := w.plan(r)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != c.want {
			t.Errorf("%s: %q, want %q", name, said, c.want)
		}
		if c.want != "" && (!hint.IsUsage(err) || !strings.Contains(strings.Join(hint.Of(err), " "), "systemctl restart postfix") || systemtest.Tree(w.Files(), nil) != before) {
			t.Errorf("%s: %q, or something was touched", name, hint.Of(err))
		}
	}
}

// An OpenDKIM that hangs keeps smtpd from greeting: the hint is about it, and not about
// Postfix.
func TestASignerThatHangs(t *testing.T) {
	w := running(t, func(p state.Probe) error {
		if p.Kind == state.ProbeGreeting || p.Kind == state.ProbeSigns {
			return errors.New("i/o timeout")
		}
		return nil
	}, "connect from localhost")
	_, err := w.plan(w.request(lab(t), acting()))
	if err == nil || !hint.IsUsage(err) || !strings.HasPrefix(err.Error(), "Postfix does not answer on port 25 already now: mail does not leave signed") ||
		!slices.Equal(hint.Of(err), []string{"systemctl restart opendkim; if it does not help: journalctl -u opendkim -n 20"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
}

// Files that postfix(1) does not take as they are now are named before anything is
// changed.
func TestAPostfixThatIsNotInOrder(t *testing.T) {
	w := running(t, func(state.Probe) error { return nil })
	checks := 0
	w.OnCheck = func(vs []state.Validator, files map[state.Path]state.Object) error {
		if checks++; len(vs) != 1 || vs[0].Name != "postfix check" || checks == 2 && len(files) > 0 {
			t.Errorf("checked: %v with %v", vs, files)
		}
		return &system.RejectedError{Validator: "postfix check", Code: 1, Output: "fatal: bad string length 0 < 1: mail_owner ="}
	}
	checked := acting()
	checked.Build = func(in step.Input) (state.Stage, []state.Note, error) {
		stage, notes, err := acting().Build(in)
		stage.Validators = []state.Validator{{Name: "other"}, {Name: "postfix check", Early: true}}
		return stage, notes, err
	}
	_, err := w.plan(w.request(lab(t), checked))
	if err == nil || !hint.IsUsage(err) || !strings.HasPrefix(err.Error(), "Postfix is not in order already now: ") || !strings.Contains(err.Error(), "mail_owner") ||
		!slices.Equal(hint.Of(err), []string{"correct that first, until postfix check says nothing of it"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
	if _, err := w.plan(w.request(lab(t), nothing)); err != nil || checks != 2 {
		t.Errorf("nothing to do: %v, %d checks", err, checks)
	}
}
