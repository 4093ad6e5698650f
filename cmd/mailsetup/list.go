package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/inventory"
)

func listCommand(c console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "list",
		Usage: "list the domains, their keys, and what DNS was last seen to have",
		UsageText: "sudo mailsetup list\n" +
			"   one line a key: how old it is, and whether it signs\n\n" +
			"sudo mailsetup list --json\n" +
			"   the same as data, with all times",
		Description: "STATE is active for a key that signs, unseen for one that signs although nobody\n" +
			"has seen its record in DNS yet, and drains with a date for one that no longer\n" +
			"signs: its record is needed until then; publishing and published for one that\n" +
			"will sign next, revoked for one whose record says that it counts no more; not in\n" +
			"DNS if no name server has the record of a key any more; unused if no table of\n" +
			"OpenDKIM names it, since the file of its domain is gone. CHECKED is what\n" +
			"mailsetup dns --wait or rotate-dkim last found, and how long ago.",
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
		return u.printJSON(domains)
	}
	fmt.Fprint(u.c.out, inventory.Table(domains, now))
	return nil
}
