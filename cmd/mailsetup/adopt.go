package main

import (
	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/propose"
)

func adoptCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "adopt",
		Usage: "take over DKIM that was set up by hand, and change no signature",
		UsageText: "mailsetup adopt --dry-run\n" +
			"   lists the domains, keys and rows that are there, and what would change\n\n" +
			"sudo mailsetup adopt --yes\n" +
			"   takes them over: same selectors, same keys, same signatures",
		Description: "OpenDKIM's keys stay where they are, exim4 gets copies. Settings that change\n" +
			"signatures, and hosts that are signed for, are kept in\n" +
			"/etc/mailsetup/host.toml. What cannot be said in our words stops the run, with\n" +
			"file and line. mailsetup init does the same on the way; with OpenDKIM,\n" +
			"init --overwrite-drift replaces the set-up instead.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			return runSetup(ctx.Context, c, answers(ctx), modeOptions(ctx), func(p *propose.Proposer) { p.AdoptOnly = true })
		},
	}, flagGroup{"What you want", adoptFlags()}, flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", except(modeFlags(), "root", "root-keys", "overwrite-drift")})
}

// adoptFlags are those of init that the set-up does not answer itself.
func adoptFlags() []cli.Flag {
	return only(answerFlags(), "domain", "hostname", "ip", "dns", "rfc2136-server", "rfc2136-key", "dns-hook", "root-alias", "milter-default-action")
}
