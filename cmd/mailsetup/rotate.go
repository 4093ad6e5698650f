package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/steps"
)

func rotateCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "rotate-dkim",
		Usage: "replace keys that are old, as far as that is safe now",
		UsageText: "sudo mailsetup rotate-dkim --yes\n" +
			"   does what is due, and says nothing if nothing is: made to run every hour\n\n" +
			"sudo mailsetup rotate-dkim --now example.org --yes\n" +
			"   begins a rotation that is not due; later runs go on with it\n\n" +
			"sudo mailsetup rotate-dkim --compromised example.org\n" +
			"   others may have its private key: says what a new one costs now, and asks",
		Description: "A new key is made and published, and signs once every name server has shown\n" +
			"its record for long enough; then a message through the signer has to come out\n" +
			"with it, or the old key goes on. The old record stays for mail under way, and\n" +
			"goes with its private key after that. How often and how long: rotate_every,\n" +
			"lag, drain and revoke in /etc/mailsetup. Where you publish records yourself,\n" +
			"the run prints the new one, at most once a day, with exit code 3, and mails it\n" +
			"to whoever host.toml names in notify; later runs notice that it is there and\n" +
			"go on.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			r := rotateOptions{options: howOptions(ctx), domains: ctx.Args().Slice(), rotate: ctx.Bool("now"), compromised: ctx.Bool("compromised")}
			if err := r.check(); err != nil {
				return err
			}
			return runRotate(ctx.Context, c, r)
		},
	}, flagGroup{"What to do", []cli.Flag{
		&cli.BoolFlag{Name: "now", Usage: "begin a rotation although none is due; of all domains if none is named"},
		&cli.BoolFlag{Name: "compromised", Usage: "others may have the private keys of `DOMAIN`: another signs as soon as its record is on every server, and the old one is revoked at once; mail under way then fails"},
	}}, flagGroup{"How to go about it", runFlags()})
}

// rotateOptions is what the command was asked for.
type rotateOptions struct {
	options
	domains             []string // none for all
	rotate, compromised bool
}

func (r *rotateOptions) check() error {
	l := nameList{known: map[string]bool{}}
	for _, given := range r.domains {
		l.add(given, "DOMAIN")
	}
	if err := l.findings.Err(); err != nil {
		return err
	}
	r.domains = l.names
	switch {
	case r.compromised && len(r.domains) == 0:
		return usage("name the domains whose keys others may have", "--compromised needs a domain")
	case (r.rotate || r.compromised) && r.root != "":
		return usage("run it on the machine itself", "--root is about a directory, where nothing signs")
	}
	return checkHow(r.options, "")
}

// rounds bounds the steps of one run: a key takes few, and the rest is waiting.
const rounds = 6

func runRotate(ctx context.Context, c console, r rotateOptions) error {
	err := turnKeys(ctx, c, r)
	if err != nil && r.isJob() && !c.interactive {
		mailFailure(ctx, c, r.options, err)
	}
	return err
}

// isJob reports whether the run is what a timer or cron calls.
func (r rotateOptions) isJob() bool {
	return len(r.domains) == 0 && !r.rotate && !r.dryRun && r.root == ""
}

func turnKeys(ctx context.Context, c console, r rotateOptions) error {
	t, err := openTurning(ctx, c, r)
	if err != nil {
		return err
	}
	defer t.s.close()
	t.s.turned = newTurned()
	watched := t.watchRecords(ctx)
	if hopeless(watched) {
		return watched
	}
	acted, err := t.all(ctx)
	if err != nil && !errors.Is(err, errChangesFound) {
		return err
	}
	t.missKeyFiles(t.looked)
	if err == nil {
		err = t.ended(ctx, acted)
	}
	return cmp.Or(t.troubled(), err, watched)
}

// openTurning opens the machine for a run about keys. The caller closes the
// session.
func openTurning(ctx context.Context, c console, r rotateOptions) (*turning, error) {
	if err := asRoot(r.options); err != nil {
		return nil, err
	}
	s, err := openSession(ctx, c, r.options)
	if err != nil {
		return nil, err
	}
	t := &turning{s: s, asked: r, trouble: map[string]bool{}}
	if t.old, err = s.setUp(); err == nil {
		err = t.known()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return t, nil
}

// known refuses domains that have no keys, or none that could get a successor.
func (t *turning) known() error {
	for _, name := range t.asked.domains {
		keys := keyring.Kept(t.s.keys[name])
		_, signs := keyring.Ledger{name: keys}.Signing(name)
		active := slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Stage == keyring.Active })
		switch begins := t.asksFor(); {
		case len(keys) == 0:
			return usage("mailsetup list shows the domains", "%s has no keys here", name)
		case begins && !signs:
			return usage("mailsetup remove-domain "+name+" --purge takes at once what is left of its keys",
				"%s was removed: no key signs for it that another one could replace", name)
		case begins && !active:
			return usage("mailsetup init", "the first key of %s is not finished", name)
		}
	}
	return nil
}

// ended tells what the run did not do. It is silent if nothing was due, unless
// somebody asked for a step: who asks wants to know.
func (t *turning) ended(ctx context.Context, acted bool) error {
	s := t.s
	switch {
	case s.o.dryRun:
		return t.upcoming(acted)
	case !acted && t.asksFor() && !s.o.json:
		t.statuses()
	}
	err := t.waiting(ctx)
	if s.o.json {
		s.turned.Failed = append(s.turned.Failed, sortedKeys(t.trouble)...)
		s.turned.Notes = append(s.turned.Notes, s.left...)
		err = cmp.Or(s.printJSON(s.turned), err)
	}
	return err
}

// all takes one round of steps after the other until nothing is due, and tells
// whether there was any. In an emergency it waits a while for name servers.
func (t *turning) all(ctx context.Context) (acted bool, err error) {
	s := t.s
	began := time.Now()
	for n := 0; n < rounds; {
		did, err := t.round(ctx)
		if err != nil || s.o.dryRun {
			return acted || did, err
		}
		if !did && (!t.hurries() || time.Since(began) > patience) {
			return acted, nil
		}
		if did {
			acted = true
			n++
		} else if err := pause(ctx, lastPause/10); err != nil {
			return acted, err
		}
		if err := s.remember(); err != nil {
			return acted, err
		}
		s.SetNow()
	}
	return acted, nil
}

// patience is how long a run waits for the name servers in an emergency; later
// runs go on with it.
const patience = 2 * time.Minute

// hurries reports whether a key that others may have still signs, and its
// successor is published by us.
func (t *turning) hurries() bool {
	return t.asked.compromised && slices.ContainsFunc(t.asked.domains, func(domain string) bool {
		_, coming := keyring.Successor(t.s.keys[domain])
		d, known := t.domain(domain)
		return coming && known && t.about(domain) && t.old.DNSOf(d) != spec.DNSManual
	})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// turning is one run of rotate-dkim.
type turning struct {
	s     *session
	old   *spec.Spec
	asked rotateOptions

	sight map[string]map[string]keyring.Sight // by domain and selector
	made  map[string]bool                     // domains that got a successor in this run
	// due are the steps of this round, by domain.
	due map[string][]keyring.Move
	// trouble are the domains that the run goes on without.
	trouble map[string]bool
	why     []string // and what was said of them, with hints
	halted  error    // that ends the run, while records were put back
	looked  []string // domains whose records had their turn in this tick
}

// about reports whether the run is about a domain.
func (t *turning) about(domain string) bool {
	return !t.trouble[domain] && (len(t.asked.domains) == 0 || slices.Contains(t.asked.domains, domain))
}

// round takes the steps that are safe now, for all domains at once but for those
// in trouble; false if there was none.
func (t *turning) round(ctx context.Context) (bool, error) {
	t.due = map[string][]keyring.Move{}
	t.betray()
	if err := t.s.count(); err != nil {
		return false, err
	}
	t.see(ctx)
	t.next()
	if len(t.due) == 0 {
		return false, nil
	}
	t.only(sortedKeys(t.due))
	if err := t.s.look(ctx, t.old); err != nil {
		return false, err
	}
	t.wait()
	return t.carry(ctx)
}

// next gathers the steps of all domains.
func (t *turning) next() {
	held := t.withoutFile()
	for _, domain := range sortedKeys(t.s.keys) {
		if !t.about(domain) {
			continue
		}
		moves := keyring.Next(t.situation(domain))
		if held { // a switch makes the tables anew
			moves = slices.DeleteFunc(moves, func(m keyring.Move) bool { return m.Act == keyring.Switch })
		}
		if t.s.o.root != "" { // nothing signs there
			moves = slices.DeleteFunc(moves, func(m keyring.Move) bool { return m.Act != keyring.Withdraw })
		}
		if len(moves) == 0 {
			continue
		}
		if err := t.fit(domain, moves); err != nil {
			t.leave(err, domain)
			continue
		}
		t.due[domain] = moves
	}
}

// withoutFile leaves alone the domains whose file is gone, and reports whether
// there are any: their keys sign until somebody says that they shall not.
func (t *turning) withoutFile() bool {
	names := steps.WithoutFile(t.s.keys, *t.old)
	for _, name := range names {
		if !t.trouble[name] {
			t.leave(fail(fmt.Sprintf("mailsetup add-domain %s brings it back, with the same key\nmailsetup remove-domain %s ends it", name, name),
				"%s is gone: no key is switched until that is settled", spec.DomainFile(name)), name)
		}
	}
	return len(names) > 0
}

func (t *turning) domain(name string) (spec.Domain, bool) {
	i, known := slices.BinarySearchFunc(t.old.Domains, name, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
	if !known {
		return spec.Domain{}, false
	}
	return t.old.Domains[i], true
}

// begun remembers which domains get a successor in this run.
func (t *turning) begun(domains []string) {
	for _, domain := range domains {
		if rotation.Moves(t.due).Makes(domain) {
			t.made[domain] = true
		}
	}
}

// situation is all that decides the next step of a domain's keys.
func (t *turning) situation(domain string) keyring.Situation {
	s := t.s
	out := keyring.Situation{
		Keys: s.keys[domain], Policy: keyring.Policy{Drain: t.old.Host.Drain}, Now: s.Now,
		Passed: s.passedOf(domain), Sights: t.sight[domain], Rotate: t.asked.rotate && !t.made[domain],
	}
	d, ok := t.domain(domain)
	if !ok { // removed: its keys drain, and that is all
		out.Keys = slices.Clone(out.Keys)
		for i := range out.Keys {
			out.Keys[i].Compromised = false
		}
		return out
	}
	out.Policy = rotation.PolicyOf(*t.old, d)
	return out
}

func before(keys keyring.Ledger, domain string) string {
	k, _ := keys.Signing(domain)
	return k.Selector
}
