package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/adopt"
	"mailsetup/internal/spec"
	"mailsetup/steps"
)

func adoptCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "adopt",
		Usage: "take over an OpenDKIM that was set up by hand, and change no signature",
		UsageText: "mailsetup adopt --dry-run\n" +
			"   lists the domains, keys and rows that are there, and what would change\n\n" +
			"sudo mailsetup adopt --yes\n" +
			"   takes them over: same selectors, same keys, same signatures",
		Description: "Keys stay where they are. Settings that change signatures, and hosts that\n" +
			"are signed for, are kept in /etc/mailsetup/host.toml. What cannot be said in\n" +
			"our words stops the run, with file and line. mailsetup init does the same on\n" +
			"the way; init --overwrite-drift replaces the set-up instead.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			return runAdopt(ctx.Context, c, answers(ctx), howOptions(ctx))
		},
	}, flagGroup{"What you want", adoptFlags()}, flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", except(howFlags(), "root", "root-keys", "overwrite-drift")})
}

// adoptFlags are those of init that the set-up does not answer itself.
func adoptFlags() []cli.Flag {
	return only(wishFlags(), "domain", "hostname", "ip", "dns", "rfc2136-server", "rfc2136-key", "root-alias", "milter-default-action")
}

func only(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

func except(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return slices.Contains(names, f.Names()[0]) })
}

// runAdopt is init, for what is there already and nothing else.
func runAdopt(ctx context.Context, c console, a spec.Answers, o options) error {
	return runSetup(ctx, c, a, o, func(s *session, old *spec.Spec) (stop bool, err error) {
		switch {
		case s.taken != nil && a.Domain != "" && s.taken.Domain(normal(a.Domain, spec.DomainName)) == nil:
			return true, usage("mailsetup init --domain "+a.Domain+" adds it, and takes over what is here",
				"OpenDKIM does not sign for %s here", a.Domain)
		case s.taken != nil:
			return false, nil
		case old != nil && s.facts.OpenDKIM != nil && !adopt.IsForeign(s.facts, s.record):
			fmt.Fprintf(s.c.out, "Nothing to do: %s is mailsetup's already.\n", steps.Conf)
			return true, nil
		}
		return true, adopt.NothingFound(ctx, s.Sys, steps.OtherMilters(steps.Input{Spec: *wanted(a, old), Facts: s.facts}))
	})
}
