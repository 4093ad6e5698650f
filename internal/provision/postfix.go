package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// greetingTimeout is how long Postfix may take to greet a client.
const greetingTimeout = 10 * time.Second

// checkGreeting returns the error of a Postfix that does not answer on port 25 before
// anything is changed: the run would end with that, and be taken back.
func checkGreeting(ctx context.Context, m *machine.Machine, d *Draft) error {
	f := d.Input.Facts
	if m.Root != "" || d.Proof != ProveDelivery || !d.Scope.WholeHost() || f.Postfix == nil || f.SMTPAddress == "" || !f.Daemons[f.Postfix.Unit].Running {
		return nil
	}
	began := m.Now
	err := m.Sys.Probe(ctx, state.Probe{Kind: state.ProbeGreeting, Address: f.SMTPAddress, Within: greetingTimeout})
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	// A smtpd that died just now says why. One that died before is not started again for
	// a minute.
	lines, _ := m.Sys.Log(ctx, f.Postfix.Unit, began, 200)
	if system.Fatal(lines) == "" {
		lines, _ = m.Sys.Log(ctx, f.Postfix.Unit, began.Add(-2*time.Minute), 200)
	}
	fatal := system.Fatal(lines)
	if fatal == "" { // smtpd greets nobody before its milters have answered
		if silent := askSigner(ctx, m.Sys, d.Input); silent != nil {
			return hint.NewUsage(strings.Join(hint.Of(silent), "\n"), "Postfix does not answer on port 25 already now: %w", cmp.Or(ctx.Err(), silent))
		}
	}
	return hint.NewUsage("mend that, if it is not mended yet, then: systemctl restart postfix (after such a failure Postfix starts no smtpd for a minute, and a reload does not change that)",
		"Postfix does not answer on port 25 already now: %s", cmp.Or(fatal, err.Error()))
}

// checkFiles returns the error of files of Postfix that postfix(1) does not take as they
// are now, where it would not take them as the plan has them either. Its answer about
// those is remembered until their stage.
func checkFiles(ctx context.Context, m *machine.Machine, d *Draft) error {
	if _, unprivileged := m.Sys.(machine.Unprivileged); unprivileged || m.Root != "" || d.Input.Facts.Postfix == nil {
		return nil
	}
	for _, st := range d.Plan.Stages {
		i := slices.IndexFunc(st.Validators, func(v state.Validator) bool { return v.Early })
		if i < 0 {
			continue
		}
		files, err := st.Files(m.Sys)
		if err != nil {
			return err
		}
		err = m.Sys.Check(ctx, st.Validators[i:i+1], files)
		if _, is := errors.AsType[*system.RejectedError](err); !is {
			return err
		}
		err = m.Sys.Check(ctx, st.Validators[i:i+1], nil)
		if rejected, is := errors.AsType[*system.RejectedError](err); is {
			return hint.NewUsage("correct that first, until postfix check says nothing of it", "Postfix is not in order already now: %w", rejected)
		}
		return err
	}
	return nil
}
