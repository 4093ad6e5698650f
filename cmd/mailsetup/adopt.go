package main

import (
	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/propose"
)

func adoptCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
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
			return runSetup(ctx.Context, c, answers(ctx), modeOptions(ctx), func(p *propose.Proposer) { p.AdoptOnly = true })
		},
	}, flagGroup{"What you want", adoptFlags()}, flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", except(modeFlags(), "root", "root-keys", "overwrite-drift")})
}

// adoptFlags are those of init that the set-up does not answer itself.
func adoptFlags() []cli.Flag {
	return only(answerFlags(), "domain", "hostname", "ip", "dns", "rfc2136-server", "rfc2136-key", "dns-hook", "root-alias", "milter-default-action")
}
