package main

import (
	"cmp"
	"context"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/spec"
)

func applyCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "apply",
		Usage: "make the server match the files in /etc/mailsetup, and ask nothing",
		UsageText: "mailsetup apply --check\n" +
			"   shows what would change, and changes nothing; exit code 3 if there is any\n\n" +
			"sudo mailsetup apply --from /root/wanted --json\n" +
			"   host.toml and domains.d in that directory take the place of those here",
		Description: "For scripts and configuration management. A new file is a new domain, a file\n" +
			"that is gone ends its domain as remove-domain does, and what a file leaves out\n" +
			"has its default: nothing is proposed. A change of what is yours needs its word\n" +
			"in the files (keep and so on) or its flag, or nothing is done.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := cmp.Or(noArguments(ctx), refuseEmpty(ctx, "from")); err != nil {
				return err
			}
			o := modeOptions(ctx)
			o.yes, o.dryRun, o.exitCode = true, ctx.Bool("check"), ctx.Bool("check")
			return runApply(ctx.Context, ui{c, o}, answers(ctx), ctx.String("from"))
		},
	}, flagGroup{"What to do", []cli.Flag{
		&cli.BoolFlag{Name: "check", Usage: "show what would change, and what would be refused, and stop; exit 3 if there is something to do"},
		&cli.StringFlag{Name: "from", Usage: "take host.toml and domains.d from `DIR`; they are put into /etc/mailsetup with the change itself"},
	}}, flagGroup{"What may change that is yours", except(consentFlags(), "remove-missing")},
		flagGroup{"How to go about it", except(modeFlags(), "yes", "dry-run", "exit-code", "accessible")})
}

func runApply(ctx context.Context, u ui, a spec.Answers, from string) error {
	if err := checkFlags(a, u.o); err != nil {
		return err
	}
	p, err := openProvisioner(ctx, u, func(h spec.Host) []string { return []string{h.Domain, h.Hostname} })
	if err != nil {
		return err
	}
	defer p.Close()
	r, err := p.Files(ctx, from)
	if err != nil {
		return err
	}
	err = cmp.Or(carryOut(ctx, u, p, r), p.NoteElapsed())
	if open, busy := p.Machine.OpenRun(); err == nil && open != nil && busy == nil && u.o.dryRun { // and is put back first
		return errChangesFound
	}
	return err
}
