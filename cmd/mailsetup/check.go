package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/check"
	"mailsetup/internal/check/report"
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
			asked := check.Options{
				Domains: ctx.Args().Slice(), Offline: ctx.Bool("offline"), Online: ctx.Bool("online"), Resolver: ctx.String("resolver"),
			}
			asked.Only, asked.Skip = listed(ctx, "only"), listed(ctx, "skip")
			return runCheck(ctx.Context, ui{c, o}, asked)
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.StringSliceFlag{Name: "only", Usage: "check these `ID`s or groups only, as in spf,dkim.match"},
		&cli.StringSliceFlag{Name: "skip", Usage: "leave these `ID`s or groups out"},
		&cli.BoolFlag{Name: "offline", Usage: "ask no DNS"},
		&cli.BoolFlag{Name: "online", Usage: "ask hosts of others, too"},
		&cli.StringFlag{Name: "resolver", Usage: "the `ADDRESS` of the resolver to ask"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
	}})
}

// listed returns the values of a flag that takes several, with commas or repeated.
func listed(ctx *cli.Context, name string) []string {
	return strings.FieldsFunc(strings.Join(ctx.StringSlice(name), ","), func(r rune) bool { return r == ',' || r == ' ' })
}

func runCheck(ctx context.Context, u ui, o check.Options) error {
	o.Progress = func(what string) { u.c.Rewrite("checking " + what) }
	r, err := check.Run(ctx, u.machine(), o)
	u.c.Rewrite("")
	if err != nil {
		return err
	}
	if u.o.json {
		err = r.WriteJSON(u.c.Out)
	} else {
		err = r.WriteText(u.c.Out, report.TextOptions{Width: u.c.Width, Color: u.c.Color, Typed: u.c.Typed()})
	}
	if err == nil && r.Summary.Problems > 0 {
		return errProblemsFound
	}
	return err
}
