package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

func rotateCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "rotate-dkim",
		Usage: "replace keys that are old, as far as that is safe now",
		UsageText: "sudo mailsetup rotate-dkim --yes\n" +
			"   does what is due, and says nothing if nothing is: made to run every hour\n\n" +
			"sudo mailsetup rotate-dkim --now example.org --yes\n" +
			"   begins a rotation that is not due; later runs go on with it",
		Description: "A new key is made and published, and signs once every name server has shown\n" +
			"its record for long enough; then a message through the signer has to come out\n" +
			"with it, or the old key goes on. The old record stays for mail under way, and\n" +
			"goes with its private key after that. How often and how long: rotate_every,\n" +
			"lag, drain and revoke in /etc/mailsetup. Where you publish records yourself,\n" +
			"the run prints the new one, at most once a day, with exit code 3; later runs\n" +
			"notice that it is there and go on.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			r := rotation{options: howOptions(ctx), domains: ctx.Args().Slice(), rotate: ctx.Bool("now"), compromised: ctx.Bool("compromised")}
			if err := r.check(); err != nil {
				return err
			}
			return runRotate(ctx.Context, c, r)
		},
	}, flagGroup{"What to do", []cli.Flag{
		&cli.BoolFlag{Name: "now", Usage: "begin a rotation although none is due"},
		&cli.BoolFlag{Name: "compromised", Usage: "others may have the private key: another signs as soon as its record is on\nevery server, and the old one is revoked at once; mail under way then fails"},
	}}, flagGroup{"How to go about it", runFlags()})
}

// rotation is what the command was asked for.
type rotation struct {
	options
	domains             []string // none for all
	rotate, compromised bool
}

func (r *rotation) check() error {
	for i, given := range r.domains {
		name, err := spec.DomainName(given)
		if err != nil {
			return usage("mailsetup rotate-dkim --help", "%w", err)
		}
		r.domains[i] = name
	}
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

func runRotate(ctx context.Context, c console, r rotation) error {
	s, err := openSession(ctx, c, r.options)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.setUp()
	if err != nil {
		return err
	}
	for _, name := range r.domains {
		if _, ok := s.keys[name]; !ok {
			return usage("mailsetup list shows the domains", "%s has no keys here", name)
		}
	}
	t := &turning{s: s, old: old, asked: r}
	acted, err := t.all(ctx)
	switch {
	case err != nil:
		return err
	case s.o.dryRun && !s.o.json:
		t.upcoming()
		return nil
	case !acted && !s.o.dryRun:
		if err := s.idle(); err != nil {
			return err
		}
	}
	return t.waiting()
}

// all takes one round of steps after the other until nothing is due, and tells
// whether there was any. In an emergency it waits a while for name servers.
func (t *turning) all(ctx context.Context) (acted bool, err error) {
	s := t.s
	began := time.Now()
	for n := 0; n < rounds; {
		did, err := t.round(ctx)
		if err != nil || s.o.dryRun {
			return acted, err
		}
		if !did && (!t.hurries() || time.Since(began) > patience) {
			return acted, nil
		}
		if did {
			acted, s.o.yes = true, true
			n++
		} else if err := pause(ctx, lastPause/10); err != nil {
			return acted, err
		}
		if err := s.remember(); err != nil {
			return acted, err
		}
		s.now = s.o.now().UTC().Truncate(time.Second)
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
		return coming && known && t.old.DNSOf(d) != spec.DNSManual
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
	asked rotation

	sight map[string]map[string]keyring.Sight // by domain and selector
	made  map[string]bool                     // domains that got a successor in this run
}

// about reports whether the run is about a domain.
func (t *turning) about(domain string) bool {
	return len(t.asked.domains) == 0 || slices.Contains(t.asked.domains, domain)
}

// round takes the steps that are safe now, in one run of the tail that all
// commands share; false if there was none.
func (t *turning) round(ctx context.Context) (bool, error) {
	s := t.s
	s.touched, s.retire, s.turns = map[string]bool{}, map[string][]string{}, map[string][]keyring.Move{}
	t.betray()
	if err := s.count(); err != nil {
		return false, err
	}
	t.see(ctx)
	t.next()
	if len(s.touched) == 0 {
		return false, nil
	}
	if err := s.look(ctx, t.old); err != nil {
		return false, err
	}
	s.wait()
	if len(s.touched) == 0 {
		return false, nil
	}
	s.steps = steps.Rotating(t.served(s.turns))
	if s.o.root != "" {
		s.steps = steps.Ending()
	}
	t.begun()
	return true, s.provision(ctx, *t.old, t.old)
}

// betray marks the keys that others may have.
func (t *turning) betray() {
	if !t.asked.compromised || t.made != nil {
		return
	}
	for _, domain := range t.asked.domains {
		keys := slices.Clone(t.s.keys[domain])
		for i := range keys {
			if keys[i].Stage == keyring.Active && !keys[i].Compromised {
				keys[i].Compromised = true
				t.s.touched[domain] = true
				t.s.c.say("%s: once another key signs, %s is revoked, and mail that it signed and that is still under way fails", domain, keys[i].Selector)
			}
		}
		t.s.keys[domain] = keys
	}
}

// next gathers the steps of all domains.
func (t *turning) next() {
	s := t.s
	for domain := range s.keys {
		if !t.about(domain) {
			continue
		}
		moves := keyring.Next(t.situation(domain))
		if s.o.root != "" { // nothing signs there
			moves = slices.DeleteFunc(moves, func(m keyring.Move) bool { return m.Act != keyring.Withdraw })
		}
		if moves = slices.DeleteFunc(moves, func(m keyring.Move) bool { return t.unfit(domain, m) }); len(moves) == 0 {
			continue
		}
		s.touched[domain], s.turns[domain] = true, moves
		for _, m := range moves {
			if m.Act == keyring.Withdraw {
				s.retire[domain] = append(s.retire[domain], m.Selector)
			}
		}
	}
}

// served leaves out what nothing is published for here: the administrator does
// that.
func (t *turning) served(turns map[string][]keyring.Move) []keyring.Move {
	var all []keyring.Move
	for domain, moves := range turns {
		d, _ := t.domain(domain)
		for _, m := range moves {
			if t.old.DNSOf(d) != spec.DNSManual || m.Act != keyring.Make && m.Act != keyring.Revoke {
				all = append(all, m)
			}
		}
	}
	return all
}

func (t *turning) domain(name string) (spec.Domain, bool) {
	i := slices.IndexFunc(t.old.Domains, func(d spec.Domain) bool { return d.Name == name })
	if i < 0 {
		return spec.Domain{}, false
	}
	return t.old.Domains[i], true
}

// begun remembers which domains get a successor in this run.
func (t *turning) begun() {
	if t.made == nil {
		t.made = map[string]bool{}
	}
	for domain, moves := range t.s.turns {
		if slices.ContainsFunc(moves, func(m keyring.Move) bool { return m.Act == keyring.Make }) {
			t.made[domain] = true
		}
	}
}

// situation is all that decides the next step of a domain's keys.
func (t *turning) situation(domain string) keyring.Situation {
	s := t.s
	out := keyring.Situation{
		Keys: s.keys[domain], Policy: keyring.Policy{Drain: t.old.Host.Drain}, Now: s.now,
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
	out.Policy = policyOf(t.old, d)
	return out
}

func policyOf(sp *spec.Spec, d spec.Domain) keyring.Policy {
	r := sp.RotationOf(d)
	return keyring.Policy{
		Every: max(0, r.Every), Drain: sp.DrainOf(d), Revoke: max(0, r.Revoke), Lag: r.Lag, Bits: d.KeyBits,
	}
}

// unfit keeps a key from signing whose private half OpenDKIM would refuse: mail
// would not be accepted.
func (t *turning) unfit(domain string, m keyring.Move) bool {
	if m.Act != keyring.Switch {
		return false
	}
	next, _ := keyring.Ledger{domain: keyring.Moved(t.s.keys[domain], m, t.s.now)}.Signing(domain)
	err := t.s.keyThere(domain, next)
	if err != nil {
		t.s.c.say("%s: %s goes on signing: %v", domain, before(t.s.keys, domain), err)
	}
	return err != nil
}

func before(keys keyring.Ledger, domain string) string {
	k, _ := keys.Signing(domain)
	return k.Selector
}

// wait leaves out the domains whose zone cannot be worked with at the moment,
// but holds records of ours.
func (s *session) wait() {
	for _, domain := range slices.Sorted(maps.Keys(s.touched)) {
		i := slices.IndexFunc(s.facts.Zones, func(z state.Zone) bool {
			return z.Problem != "" && z.Holds(domain+".") && s.exists(steps.Fragment(z))
		})
		if i >= 0 {
			s.c.say("%s has to wait: zone %s: %s", domain, s.facts.Zones[i].Origin, s.facts.Zones[i].Problem)
			delete(s.retire, domain)
			delete(s.touched, domain)
			delete(s.turns, domain)
		}
	}
}

// idle is the end of a run for which nothing is due.
func (s *session) idle() error {
	if s.o.json {
		return s.printResult(result{})
	}
	return nil
}
