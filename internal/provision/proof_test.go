package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

// signed is a world whose one key signs.
func signed(t *testing.T, probe func(state.Probe) error) *world {
	t.Helper()
	w := newWorld(t, "")
	w.OnProbe = probe
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger = keyring.Ledger{"lab.example": {{Selector: "202611", Bits: 2048, Public: key.Public(), File: string(keyFile), Stage: keyring.Active}}}
	opendkim := state.Owner{User: "opendkim", Group: "opendkim"}
	for _, dir := range []state.Path{"/etc/dkimkeys", "/etc/dkimkeys/lab.example"} {
		w.Put(dir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: opendkim})
	}
	w.Put(keyFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkim, Content: key.PEM()})
	return w
}

func stopped(state.Probe) error { return errors.New("connection refused") }

// A run that has nothing to do asks the signer all the same: files say nothing
// about a daemon that was stopped since.
func TestNothingToDo(t *testing.T) {
	var asked []state.Signer
	w := signed(t, func(p state.Probe) error { asked = append(asked, p.Signers...); return nil })
	res, err := w.run(w.request(lab(t), nothing))
	if err != nil || res.Changed() || res.Proven != "The signer was asked, and signs mail of this server." {
		t.Fatalf("%v, %+v", err, res)
	}
	if len(asked) != 1 || asked[0].From != "root@mail.lab.example" || asked[0].Domain != "lab.example" {
		t.Errorf("asked for %+v", asked)
	}
}

func TestNothingToDoIsNotSaidOfAStoppedSigner(t *testing.T) {
	w := signed(t, stopped)
	_, err := w.run(w.request(lab(t), nothing))
	if err == nil || !strings.Contains(err.Error(), "mail does not leave signed, although the files are as they should be") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

// A key that OpenDKIM cannot use is the reason that is told, with what mends it.
func TestASignerWithoutItsKey(t *testing.T) {
	for _, tt := range []struct {
		name       string
		break_     func(w *world)
		says, hint string
	}{
		{
			"junk", func(w *world) {
				w.Put(keyFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: []byte("junk")})
			},
			"mail does not leave signed: /etc/dkimkeys/lab.example/202611.private is no private key",
			"put the file back from a backup; without one, mailsetup rotate-dkim --compromised lab.example makes another key and revokes this one",
		},
		{
			"a directory of root's", func(w *world) {
				w.Put("/etc/dkimkeys", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
			},
			"mail does not leave signed: the user opendkim cannot enter /etc/dkimkeys (root:root, mode 0700)",
			"chown opendkim: /etc/dkimkeys && chmod 700 /etc/dkimkeys",
		},
	} {
		w := signed(t, stopped)
		tt.break_(w)
		_, err := w.run(w.request(lab(t), nothing))
		if err == nil || !strings.HasPrefix(err.Error(), tt.says) || !slices.Equal(hint.Of(err), []string{tt.hint}) {
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		}
	}
}

// Postfix is asked, too, where it takes mail.
func TestNothingToDoIsNotSaidOfAPostfixThatTakesNoMail(t *testing.T) {
	w := signed(t, func(p state.Probe) error {
		if p.Kind == state.ProbeSMTP {
			return errBroken
		}
		return nil
	})
	w.facts.Postfix, w.facts.SMTPAddress = &state.Postfix{Unit: "postfix.service"}, "127.0.0.1:25"
	_, err := w.run(w.request(lab(t), nothing))
	if err == nil || !strings.Contains(err.Error(), "Postfix takes no mail, although the files are as they should be: broken") ||
		!slices.Equal(hint.Of(err), []string{"systemctl restart postfix.service; if it does not help: journalctl -u postfix.service -n 20"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
}

// Below --root nothing runs that could be asked.
func TestNothingToDoBelowRoot(t *testing.T) {
	w := newWorld(t, "/image")
	w.OnProbe = stopped
	w.options.MakeKeys = false
	res, err := w.run(w.request(lab(t), nothing))
	if err != nil || res.Proven != "" {
		t.Errorf("%v, %q", err, res.Proven)
	}
}

// acting is a step that changes a file and acts on units.
func acting(units ...state.Unit) step.Step {
	return step.Step{Name: "Acting", Build: func(step.Input) (state.Stage, []state.Note, error) {
		return state.Stage{Files: change.Files, Units: units}, nil, nil
	}}
}

// What the last line says of the signer was seen in this very run.
func TestTheSignerIsAskedWhereNoStageDid(t *testing.T) {
	const claim = "The signer was asked, and signs mail of this server."
	asks := state.Unit{Name: "opendkim.service", Action: state.Reload, Probes: []state.Probe{{Kind: state.ProbeSigns}}}
	for _, tt := range []struct {
		name   string
		list   step.Step
		proof  provision.Proof
		down   bool
		proven string
	}{
		{"a run that asked it", acting(asks), provision.ProveSigner, false, claim},
		{"a run that did not, of a signer that answers", acting(), provision.ProveSigner, false, claim},
		{"a run that did not, of a signer that is down", acting(), provision.ProveSigner, true, ""},
		{"the same in a run about the host", acting(), provision.ProveDelivery, true, ""},
		{"of one that answers in a run about the host", acting(), provision.ProveDelivery, false, claim},
	} {
		w := signed(t, nil)
		w.Unit("opendkim.service", "/etc/changed")
		if tt.down {
			w.OnProbe = stopped
		}
		r := w.request(lab(t), tt.list)
		r.Proof = tt.proof
		res, err := w.run(r)
		if err != nil || res.Proven != tt.proven || (res.Problem != nil) != tt.down || !res.Changed() {
			t.Errorf("%s: %v, proven %q, problem %v", tt.name, err, res.Proven, res.Problem)
		}
		if tt.down && !strings.HasPrefix(hint.Of(res.Problem)[0], "systemctl restart opendkim; ") {
			t.Errorf("%s: hints %q", tt.name, hint.Of(res.Problem))
		}
	}
}

// Where Postfix could not be asked where it would deliver, no message is sent, and
// nothing is said of mail that leaves.
func TestNoMoreIsSaidThanWasProven(t *testing.T) {
	w := signed(t, nil)
	w.facts.Postfix = &state.Postfix{
		QueueDirectory: state.Path(t.TempDir()), Services: []state.Service{{Name: "smtp/unix", Command: "smtp"}}, Value: map[string]string{},
	}
	res, err := w.run(w.request(lab(t), acting()))
	if err != nil || res.Problem != nil {
		t.Fatalf("%v, %v", err, res.Problem)
	}
	if strings.Contains(res.Proven, "leaves signed") ||
		!strings.Contains(res.Proven, "The signer was asked, and signs mail of this server. What Postfix does with it after that is not known: Postfix was asked where it would deliver") {
		t.Errorf("proven: %s", res.Proven)
	}
	w.says("does a message arrive signed, all the way through Postfix\n")
}

// A rotation sends no message: it has proven its keys itself.
func TestARotationSendsNoMessage(t *testing.T) {
	w := signed(t, nil)
	w.facts.Postfix = &state.Postfix{QueueDirectory: "/var/spool/postfix"}
	r := w.request(lab(t), acting())
	r.Proof = provision.ProveSigner
	if res, err := w.run(r); err != nil || res.Problem != nil || strings.Contains(w.said.String(), "all the way through Postfix") {
		t.Errorf("%v, %v, said %s", err, res.Problem, &w.said)
	}
}

func TestMailThatIsLeftToAnotherSigner(t *testing.T) {
	w := newWorld(t, "")
	sp := lab(t)
	sp.Domains[0].SignedBy = spec.ByOther
	res, err := w.run(w.request(sp, acting()))
	if err != nil || res.Proven != "Mail of this server is left to the signer that was here before." {
		t.Errorf("%v, %q", err, res.Proven)
	}
}

// A unit that somebody has stopped, and that the run had no reason to act on, is
// told with the command, whatever else was done.
func TestAUnitThatIsStoppedIsAProblem(t *testing.T) {
	for _, tt := range []struct {
		name, unit string
		acts       []state.Unit
		want       string
	}{
		{"Postfix", "postfix.service", nil, "postfix.service was stopped"},
		{"the signer, by name and not by what a message ran into", "opendkim.service", nil, "opendkim.service was stopped"},
		{"one that the run has started", "postfix.service", []state.Unit{{Name: "postfix.service", Action: state.Reload}}, ""},
	} {
		w := signed(t, nil)
		w.Unit("postfix.service", "/etc/changed")
		w.facts.Postfix = &state.Postfix{Unit: "postfix.service", QueueDirectory: state.Path(t.TempDir()), Value: map[string]string{}}
		w.facts.Daemons = map[string]state.Daemon{tt.unit: {Stopped: true}}
		res, err := w.run(w.request(lab(t), acting(tt.acts...)))
		if err != nil || (res.Problem != nil) != (tt.want != "") {
			t.Fatalf("%s: %v, problem %v", tt.name, err, res.Problem)
		}
		if tt.want == "" {
			continue
		}
		if !strings.HasPrefix(res.Problem.Error(), tt.want) || !slices.Equal(hint.Of(res.Problem), []string{"systemctl start " + tt.unit}) {
			t.Errorf("%s: %v, %q", tt.name, res.Problem, hint.Of(res.Problem))
		}
	}
}

// Who interrupts the proof interrupts nothing: all was done.
func TestInterruptedWhileProving(t *testing.T) {
	w := signed(t, nil)
	w.facts.Postfix = &state.Postfix{QueueDirectory: state.Path(t.TempDir()), Value: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	w.OnProbe = func(state.Probe) error { cancel(); return nil }
	d, err := w.plan(w.request(lab(t), acting()))
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.p.Run(ctx, d)
	if err != nil || !res.Changed() || res.Problem != nil || res.Proven != "" {
		t.Errorf("%v, problem %v, proven %q", err, res.Problem, res.Proven)
	}
}
