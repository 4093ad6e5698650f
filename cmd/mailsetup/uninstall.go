package main

import (
	"cmp"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/rollback"
)

func uninstallCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "uninstall",
		Usage: "give this server back as it was before mailsetup first changed it",
		UsageText: "sudo mailsetup uninstall --dry-run\n" +
			"   shows which files go back to what they were, and changes nothing\n\n" +
			"sudo mailsetup uninstall\n" +
			"   shows it, and does it after your yes; mailsetup rollback takes that back",
		Description: "Files get their bytes, owner and mode of before the first run, what was not\n" +
			"there goes, and mail leaves as it did then. Packages stay, and private keys.\n" +
			"Zones here lose SPF, DMARC and MX records of mailsetup under a higher serial;\n" +
			"keys stay in DNS while mail that they signed may be under way. A file that was\n" +
			"edited by hand since is named, and nothing is done.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			u := ui{c, modeOptions(ctx)}
			if err := cmp.Or(noArguments(ctx), checkHow(u.o, "")); err != nil {
				return err
			}
			p, err := openProvisioner(ctx.Context, u, nil)
			if err != nil {
				return err
			}
			defer p.Close()
			r, err := rollback.Uninstall(ctx.Context, p)
			if err != nil {
				return err
			}
			return cmp.Or(carryOut(ctx.Context, u, p, r), p.NoteElapsed())
		},
	}, flagGroup{"Flags", runFlags()})
}
