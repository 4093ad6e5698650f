package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/text"
)

func removeCommand(c console.Console) *cli.Command {
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
			o, list := modeOptions(ctx), ctx.String("from-file")
			if err := checkHow(o, list); err != nil {
				return err
			}
			names, err := givenDomains(c, ctx)
			if err != nil {
				return err
			}
			return runRemove(ctx.Context, c, names, o, ctx.Bool("purge"))
		},
	}, flagGroup{"Which domains, and how soon", []cli.Flag{
		fromFileFlag(),
		&cli.BoolFlag{Name: "purge", Usage: "take the key away at once: mail under way no longer verifies"},
		removeMissingFlag(),
	}}, flagGroup{"How to go about it", runFlags()})
}

// runFlags are those of commands that install nothing and make no keys.
func runFlags() []cli.Flag {
	others := []string{"install", "no-install", "root-keys"}
	return slices.DeleteFunc(modeFlags(), func(f cli.Flag) bool { return slices.Contains(others, f.Names()[0]) })
}

func runRemove(ctx context.Context, c console.Console, names []string, o options, purge bool) error {
	u := ui{c, o}
	p, err := openProvisioner(ctx, u, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	r, before, err := p.Remove(ctx, names, purge)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		c.Say("%s", text.Wrap("removed already, with the key in DNS for mail under way: "+text.List(before, 10), 78))
	}
	if len(r.Scope.Selection()) == 0 {
		return printNothingToDo(u, "all of these domains were removed already")
	}
	if err := carryOut(ctx, u, p, r); err != nil {
		return err
	}
	return p.NoteElapsed()
}
