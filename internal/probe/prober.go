// Package probe asks running daemons whether they do what they should: the
// answers decide whether a unit action worked.
package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	defaultWithin = 10 * time.Second
	retryPause    = 100 * time.Millisecond
)

// Prober implements system.Prober for a live machine.
type Prober struct {
	units system.Units
	run   system.Runner
	// activeFor is how long a unit must stay up to count as active.
	activeFor time.Duration
	// Bar begins to show how far a probe of many messages is; nil for nobody.
	Bar func(what string, total int) (step, end func())
}

var _ system.Prober = (*Prober)(nil)

// NewProber returns a prober that looks at units through u and runs programs
// through r; sockets and name servers it asks itself.
func NewProber(u system.Units, r system.Runner) *Prober {
	return &Prober{units: u, run: r, activeFor: time.Second}
}

// Probe implements system.Prober. It asks until the answer is right or p.Within (10
// seconds if zero; 15 for a name server) is over; the error is the last answer.
func (b *Prober) Probe(ctx context.Context, p state.Probe) error {
	if p.Kind == state.ProbeServed && p.View != "" {
		return b.servedInView(ctx, p)
	}
	if p.Kind == state.ProbeServed {
		return dnsclient.WaitServed(ctx, p)
	}
	if p.Within <= 0 {
		p.Within = defaultWithin
	}
	switch p.Kind {
	case state.ProbeActive:
		return retry(ctx, p.Within, func(ctx context.Context) error { return b.active(ctx, p.Unit) })
	case state.ProbeMilter:
		return retry(ctx, p.Within, func(ctx context.Context) error { return negotiates(ctx, p.Address) })
	case state.ProbeSigns:
		return b.signs(ctx, p)
	case state.ProbeExim:
		return b.eximSigns(ctx, p)
	case state.ProbeUnsigned:
		return retry(ctx, p.Within, func(ctx context.Context) error { return unsigned(ctx, p) })
	case state.ProbeOther:
		return retry(ctx, p.Within, func(ctx context.Context) error { return signedByOther(ctx, p) })
	case state.ProbeDMARC:
		return retry(ctx, p.Within, func(ctx context.Context) error { return judges(ctx, p.Address, p.Name) })
	case state.ProbeFilters:
		return retry(ctx, p.Within, func(ctx context.Context) error { return filters(ctx, p.Address, p.Name, p.File) })
	case state.ProbeGreeting:
		return greets(ctx, p)
	case state.ProbeSMTP:
		return retry(ctx, p.Within, func(ctx context.Context) error { return takesSender(ctx, p) })
	case state.ProbePostfix:
		return retry(ctx, p.Within, b.postfix)
	case state.ProbeSessions:
		return retry(ctx, p.Within, func(context.Context) error { return oldSessions("/proc", p.Address) })
	case state.ProbeRecipients:
		return b.recipients(ctx, p)
	case state.ProbePolicy:
		return retry(ctx, p.Within, func(ctx context.Context) error { return answersPolicy(ctx, p.Address) })
	case state.ProbeEximDoor:
		return retry(ctx, p.Within, func(ctx context.Context) error { return b.eximDecides(ctx, p) })
	case state.ProbeDoor:
		return retry(ctx, p.Within, func(ctx context.Context) error { return decides(ctx, p.Address, p.Recipients) })
	default:
		return fmt.Errorf("probe %q: unknown kind", p.Kind)
	}
}

// permanent is an error that waiting does not change.
type permanent struct{ error }

// Unwrap gives errors.Is the verdict.
func (f permanent) Unwrap() error { return f.error }

// retry calls try until it succeeds, returns a permanent error or the time is over. It
// returns the last error that was not merely a timeout.
func retry(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	for {
		err := try(ctx)
		if err == nil || errors.As(err, new(permanent)) {
			return err
		}
		if last == nil || !expired(ctx) {
			last = err
		}
		select {
		case <-ctx.Done():
			if errors.Is(outer.Err(), context.Canceled) {
				return errors.Join(outer.Err(), last)
			}
			return last
		case <-time.After(retryPause):
		}
	}
}

// expired reports whether the deadline has passed; a dial may notice that a little
// before its context does.
func expired(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

// active returns an error unless the unit runs and keeps running: a daemon that cannot
// bind its socket is reported as started and dies a moment later.
func (b *Prober) active(ctx context.Context, unit string) error {
	before, err := b.units.Status(ctx, unit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", unit, err)
	}
	if err := checkActive(unit, before); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("look at unit %s: %w", unit, ctx.Err())
	case <-time.After(b.activeFor):
	}
	after, err := b.units.Status(ctx, unit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", unit, err)
	}
	if err := checkActive(unit, after); err != nil {
		return err
	}
	if after.Invocation != before.Invocation || after.Restarts != before.Restarts {
		return permanent{fmt.Errorf("unit %s: started again within %v (%d automatic restarts)", unit, b.activeFor, after.Restarts)}
	}
	return nil
}

// checkActive returns a temporary error in states that pass (starting, reloading), else
// a permanent one.
func checkActive(unit string, s system.UnitStatus) error {
	err := fmt.Errorf("unit %s: %s (%s), should be active", unit, s.Active, s.Sub)
	switch {
	case s.Load != "" && s.Load != "loaded":
		return permanent{fmt.Errorf("unit %s: %s", unit, s.Load)}
	case s.Active == "active" && s.Sub != "auto-restart":
		return nil
	case s.Active == "failed", s.Active == "inactive", strings.HasPrefix(s.Sub, "auto-restart"):
		return permanent{err}
	default:
		return err
	}
}

// postfix asks Postfix itself about its first instance: on Debian 12 postfix.service is
// active while Postfix is dead.
func (b *Prober) postfix(ctx context.Context) error {
	argv := []string{"postmulti", "-i", "-", "-p", "status"}
	res, err := b.run.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
	}
	if res.Code != 0 {
		return fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), res.Code, lastLine(res.Stderr, res.Stdout))
	}
	return nil
}

// lastLine returns the last line of the outputs.
func lastLine(streams ...[]byte) string {
	for _, s := range streams {
		if text := strings.TrimSpace(string(s)); text != "" {
			return text[strings.LastIndexByte(text, '\n')+1:]
		}
	}
	return "it does not run" // Debian 12 tells the system log only
}
