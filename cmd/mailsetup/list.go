package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/inventory"
)

func listCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "list",
		Usage: "list the domains, their keys, and what DNS was last seen to have",
		UsageText: "sudo mailsetup list\n" +
			"   one line a key: how old it is, and whether it signs\n\n" +
			"sudo mailsetup list --json\n" +
			"   the same as data, with all times",
		Description: "STATE is that of mailsetup status: active for a key that signs, publishing and\n" +
			"published for one that will sign next, draining for one that no longer signs\n" +
			"and revoked for one whose record says that it counts no more, both UNTIL a date\n" +
			"at the earliest; not in DNS if no name server has its record any more; unusable\n" +
			"if OpenDKIM cannot sign with its file, as mailsetup status tells; unused if\n" +
			"no table of OpenDKIM names it, since the file of its domain is gone; no key, or\n" +
			"not ours where another signer signs. CHECKED is what mailsetup dns --wait or\n" +
			"rotate-dkim last found, and how long ago; seen, if nobody has looked since the\n" +
			"record was first seen, or unseen. Domains with a problem come first.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			return runList(ctx.Context, ui{c, options{
				dryRun: true, json: ctx.Bool("json"), root: ctx.String("root"), command: "list",
			}})
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "root", Usage: "the domains of the tree below `DIR`"},
	}})
}

func runList(ctx context.Context, u ui) error {
	domains, now, err := inventory.Read(ctx, u.machine())
	if err != nil {
		return err
	}
	if u.o.json {
		return u.print(inventory.Document(domains))
	}
	fmt.Fprint(u.c.Out, inventory.Table(domains, now))
	return nil
}
