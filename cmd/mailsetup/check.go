package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/check"
	"mailsetup/internal/console"
)

func checkCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "check",
		Usage: "find out whether mail will arrive, and what to type if not",
		UsageText: "sudo mailsetup check\n" +
			"   looks at this server, its DNS and its mail, and says what is wrong",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o := options{dryRun: true, json: ctx.Bool("json"), command: "check"}
			return runCheck(ctx.Context, ui{c, o}, check.Options{
				Domains: ctx.Args().Slice(), Only: listed(ctx, "only"), Skip: listed(ctx, "skip"),
				Offline: ctx.Bool("offline"), Online: ctx.Bool("online"), Resolver: ctx.String("resolver"),
			})
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.StringSliceFlag{Name: "only", Usage: "check these `ID`s or groups only"},
		&cli.StringSliceFlag{Name: "skip", Usage: "leave these `ID`s or groups out"},
		&cli.BoolFlag{Name: "offline", Usage: "ask no DNS"},
		&cli.BoolFlag{Name: "online", Usage: "ask hosts of others, too"},
		&cli.StringFlag{Name: "resolver", Usage: "the `ADDRESS` of the resolver to ask"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
	}})
}

// listed returns the values of a flag that takes several.
func listed(ctx *cli.Context, name string) []string { return ctx.StringSlice(name) }

func runCheck(ctx context.Context, u ui, o check.Options) error {
	r, err := check.Run(ctx, u.machine(), o)
	if err != nil {
		return err
	}
	if u.o.json {
		err = r.WriteJSON(u.c.Out)
	} else {
		err = r.WriteText(u.c.Out, u.c.Width)
	}
	if err == nil && r.Summary.Problems > 0 {
		return errProblemsFound
	}
	return err
}
