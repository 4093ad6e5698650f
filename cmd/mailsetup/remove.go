package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

func removeCommand(c console) *cli.Command {
	return withHelp(&cli.Command{
		Name:      "remove-domain",
		Usage:     "no longer sign mail of a domain",
		ArgsUsage: "DOMAIN...",
		UsageText: "sudo mailsetup remove-domain shop.example\n" +
			"   shows what goes, and does it after your yes: signing stops at once\n\n" +
			"sudo mailsetup remove-domain shop.example --purge --dry-run\n" +
			"   shows what goes if mail under way does not matter, and changes nothing",
		Description: "Its rows go first, with one reload, and its SPF, DMARC and MX records with them.\n" +
			"Its key stays in DNS for as long as mail that it signed may be under way (drain\n" +
			"in /etc/mailsetup/host.toml, 14 days); then mailsetup rotate-dkim takes record\n" +
			"and key away. rollback brings everything back; once the key is gone, roll back\n" +
			"that run of rotate-dkim first. Records of yours stay in your zones.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o, list := howOptions(ctx), ctx.String("from-file")
			if err := checkHow(o, list); err != nil {
				return err
			}
			names, err := c.givenDomains(ctx)
			if err != nil {
				return err
			}
			return runRemove(ctx.Context, c, names, o, ctx.Bool("purge"))
		},
	}, flagGroup{"Which domains, and how soon", []cli.Flag{
		fromFile(),
		&cli.BoolFlag{Name: "purge", Usage: "take the key away at once: mail under way no longer verifies"},
		removeMissing(),
	}}, flagGroup{"How to go about it", runFlags()})
}

// runFlags are those of commands that install nothing and make no keys.
func runFlags() []cli.Flag {
	others := []string{"install", "no-install", "root-keys"}
	return slices.DeleteFunc(howFlags(), func(f cli.Flag) bool { return slices.Contains(others, f.Names()[0]) })
}

func runRemove(ctx context.Context, c console, names []string, o options, purge bool) error {
	s, err := openSession(ctx, c, o)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.setUp()
	if err != nil {
		return err
	}
	if err := s.remove(names, old, purge); err != nil {
		return err
	}
	if len(s.scope.Selection()) == 0 {
		return s.nothingLeft("all of these domains were removed already")
	}
	want := old.Without(names...)
	if err := want.Validate().Err(); err != nil {
		return err
	}
	if err := s.look(ctx, &want); err != nil {
		return err
	}
	if err := s.provision(ctx, want, old); err != nil || s.o.dryRun {
		return err
	}
	if err := s.remember(); err != nil {
		return err
	}
	return s.count() // from now on
}

// remove makes the run one about the end of these domains.
func (s *session) remove(names []string, old *spec.Spec, purge bool) error {
	gone, unknown := s.leaving(names, old)
	switch {
	case len(unknown) > 0:
		return usage("mailsetup list shows those of this "+s.Kind(), "no domain of this %s: %s", s.Kind(), listed(unknown, 10))
	case slices.Contains(names, old.Host.Domain):
		return usage("write another one into domain = in "+string(spec.HostFile)+", run mailsetup init, then remove this one",
			"%s is the primary domain, with whose key the mail of this %s itself is signed", old.Host.Domain, s.Kind())
	}
	for _, d := range old.Domains {
		if slices.Contains(names, d.SPF.Redirect) && !slices.Contains(names, d.Name) {
			return usage("mailsetup init --domain "+d.Name+" --spf-redirect=false",
				"the SPF record of %s is that of %s", d.Name, d.SPF.Redirect)
		}
	}
	s.removed, s.retire = gone, map[string][]string{}
	if purge {
		for _, n := range names {
			for _, k := range keyring.Kept(s.keys[n]) {
				s.retire[n] = append(s.retire[n], k.Selector)
			}
		}
	} else {
		names = s.signing(names, old)
	}
	s.scope = step.Only(names...)
	if slices.Contains(names, old.Host.Hostname) { // the host's own records take the place of that domain's
		s.scope = s.scope.With(old.Host.Domain)
	}
	return nil
}

// leaving sorts names into domains of the spec, and those that nobody knows.
// The others were removed before.
func (s *session) leaving(names []string, old *spec.Spec) (gone []spec.Domain, unknown []string) {
	known := map[string]spec.Domain{}
	for _, d := range old.Domains {
		known[d.Name] = d
	}
	for _, n := range names {
		d, ok := known[n]
		switch {
		case ok:
			gone = append(gone, d)
		case len(keyring.Kept(s.keys[n])) == 0:
			unknown = append(unknown, n)
		}
	}
	return gone, unknown
}

// signing are the domains that are in the spec, or whose keys sign. One that was
// removed before has only its keys left, and nothing to do.
func (s *session) signing(names []string, old *spec.Spec) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		_, signs := s.keys.Signing(n)
		if signs || old.Has(n) {
			return false
		}
		s.c.say("%s was removed already; its key is in DNS for mail under way", n)
		return true
	})
}
