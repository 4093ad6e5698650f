package dkim

import (
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

// Grace is how much later than due a step of a key is before somebody is told: an hourly
// timer, a machine that was off, a name server that was slow.
const (
	graceAge  = 14 * day
	graceStep = 2 * day
	// graceClock counts where nothing ticks, and so nothing but the wall clock tells.
	graceClock = 30 * day
)

// checkLives judges how old the keys are and whether a step is overdue, from the ledger.
func (c *checker) checkLives() {
	d := c.domain
	if d.Wanted == nil || len(d.Keys) == 0 {
		return
	}
	rotation := c.server.Spec.RotationOf(*d.Wanted)
	s := keyring.Situation{
		Keys: d.Keys, Now: c.server.Now, Elapsed: c.server.Elapsed.InStage(d.Name, d.Keys),
		Policy: keyring.Policy{
			Every: max(0, rotation.Every), Drain: c.server.Spec.DrainOf(*d.Wanted), Revoke: max(0, rotation.Revoke), Lag: rotation.Lag,
		},
	}
	if d.Wanted.SignedBy == "" {
		c.checkAge(s, rotation)
	}
	c.checkDue(s)
	for _, k := range d.Keys {
		c.Keys = append(c.Keys, life(d.Name, k, s))
	}
}

// checkAge compares the age of the key that signs with the policy.
func (c *checker) checkAge(s keyring.Situation, rotation spec.Rotation) {
	signing, ok := keyring.Ledger{"": s.Keys}.Signing("")
	if !ok || signing.Stage != keyring.Active || s.Policy.Every == 0 || signing.Since[keyring.Active].IsZero() {
		return
	}
	age := s.Age(signing)
	out := finding.Finding{
		ID: "dkim.age", Severity: finding.OK, Subject: signing.Selector,
		Seen: fmt.Sprintf("%s old, of %s", days(age), days(rotation.Every)),
	}
	if age > s.Policy.Every+graceAge {
		out.Severity, out.Remedy = finding.Warning, finding.Command("mailsetup rotate-dkim %s", c.domain.Name)
		if waiting, pending := keyring.Successor(s.Keys); pending {
			out.Seen += "; its successor " + waiting.Selector + " waits"
			out.CausedBy = "dkim.record"
		}
	}
	c.report(out)
}

func days(d time.Duration) string { return text.Count(int(d/day), "day") }

// checkDue reports steps that should have been taken.
func (c *checker) checkDue(s keyring.Situation) {
	var late []string
	timed := false
	for _, k := range s.Keys {
		what := map[keyring.Stage]string{
			keyring.Published: "should sign", keyring.Draining: "should be withdrawn", keyring.Revoked: "should be withdrawn",
		}[k.Stage]
		if what == "" {
			continue
		}
		timed = true
		over := s.Elapsed[k.Selector] - s.Wait(k) - graceStep
		if !c.server.Ticks {
			over = max(over, s.Now.Sub(k.Since[k.Stage])-s.Wait(k)-graceClock)
		}
		if over > 0 && !k.Since[k.Stage].IsZero() {
			late = append(late, fmt.Sprintf("%s %s since %s", k.Selector, what, days(over+graceStep)))
		}
	}
	switch {
	case len(late) > 0:
		c.report(finding.Finding{
			ID: "dkim.due", Severity: finding.Warning, Seen: strings.Join(late, "; "),
			Remedy: finding.Command("mailsetup rotate-dkim %s", c.domain.Name).
				Text("and see why no tick did it:").Command("systemctl status mailsetup-rotate.timer mailsetup-rotate.service"),
		})
	case timed:
		c.report(finding.Finding{ID: "dkim.due", Severity: finding.OK, Seen: "no step is overdue"})
	}
}

// life returns the life of a key for a time line.
func life(domain string, k keyring.Key, s keyring.Situation) finding.KeyLife {
	l := finding.KeyLife{
		Domain: domain, Selector: k.Selector, Bits: k.Bits, Stage: string(k.Stage),
		Made: k.Since[keyring.Staged], Active: k.Since[keyring.Active], Retired: k.Since[keyring.Draining],
	}
	if l.Retired.IsZero() {
		l.Retired = k.Since[keyring.Gone]
	}
	switch {
	case k.Stage == keyring.Active && s.Policy.Every > 0 && !l.Active.IsZero():
		l.Next = s.Now.Add(max(0, s.Policy.Every-s.Age(k))).Truncate(time.Second)
	case k.Stage == keyring.Published, k.Stage == keyring.Draining, k.Stage == keyring.Revoked:
		l.Next = s.Now.Add(s.Remaining(k)).Truncate(time.Second)
	}
	return l
}
