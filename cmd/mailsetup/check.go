package main

import (
	"cmp"
	"context"
	"errors"
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
			"   looks at this server, its DNS and its mail: what is wrong comes first, with\n" +
			"   what mends it (exit 3); nothing is changed\n\n" +
			"mailsetup check --only spf,dkim.match example.org\n" +
			"   two things about one domain, which may be on another server\n\n" +
			"sudo mailsetup check --changed\n" +
			"   prints what is new, worse or mended since the last time, or nothing",
		Description: "A finding is a problem (mail is lost, unsigned or refused), a warning, a note,\n" +
			"ok, or unknown: it could not be found out, which is neither passed nor failed.\n" +
			"Nobody's mailbox sees the test messages of the live path, and nothing leaves\n" +
			"the machine. Without root less can be seen. Groups are what IDs begin with\n" +
			"(spf, dkim, live); mailsetup check --explain all lists the IDs.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			u := ui{c, options{dryRun: true, json: ctx.Bool("json"), command: "check"}}
			if ctx.IsSet("explain") {
				return explain(ctx, u)
			}
			o, err := checkOptions(ctx)
			if err == nil {
				err = runCheck(ctx.Context, u, o)
			}
			if _, is := errors.AsType[report.NagiosState](err); o.Form != "nagios" || err == nil || is {
				return err
			}
			finish(c, err)
			return report.FailNagios(c.Out, err)
		},
	}, flagGroup{"What to look at", []cli.Flag{
		&cli.StringSliceFlag{Name: "only", Usage: "these `IDS` or groups, with commas: spf,dkim.match"},
		&cli.StringSliceFlag{Name: "skip", Usage: "all but these `IDS` or groups: live leaves out the test messages"},
		&cli.BoolFlag{Name: "offline", Usage: "ask no DNS"},
		&cli.BoolFlag{Name: "online", Usage: "ask hosts of others as well: port 25, MTA-STS, block lists, registries"},
		&cli.StringFlag{Name: "resolver", Usage: "the `ADDRESS` of the resolver to ask (default: that of /etc/resolv.conf)"},
		&cli.StringSliceFlag{Name: "message", Usage: "a saved message in `FILE` as well: its form, and what spam filters here make of it"},
	}}, flagGroup{"What to say", []cli.Flag{
		&cli.BoolFlag{Name: "changed", Usage: "what differs from the last time, once"},
		&cli.BoolFlag{Name: "strict", Usage: "exit 3 also for what is unknown"},
		&cli.StringFlag{Name: "format", Usage: "the `FORM`: " + strings.Join(check.Forms(), ", ") + " (default: text)"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "html", Usage: "write a page for a browser to `FILE`, too, to be handed on"},
		&cli.StringFlag{Name: "explain", Usage: "say what `ID`, a group or all is about, and look at nothing"},
	}})
}

// checkOptions reads the flags. Its result is of use also with an error.
func checkOptions(ctx *cli.Context) (check.Options, error) {
	o := check.Options{
		Domains: ctx.Args().Slice(), Offline: ctx.Bool("offline"), Online: ctx.Bool("online"), Resolver: ctx.String("resolver"),
		Messages: ctx.StringSlice("message"), Form: ctx.String("format"), Changed: ctx.Bool("changed"), Strict: ctx.Bool("strict"),
	}
	if ctx.IsSet("html") {
		o.HTML = &check.Page{File: ctx.String("html"), Version: version}
	}
	if ctx.Bool("json") {
		if o.Form = cmp.Or(o.Form, "json"); o.Form != "json" {
			return o, usage("leave one of them out", "--json and --format %s do not go together", o.Form)
		}
	}
	for flag, list := range map[string]*[]string{"only": &o.Only, "skip": &o.Skip} {
		*list = strings.FieldsFunc(strings.Join(ctx.StringSlice(flag), ","), func(r rune) bool { return r == ',' || r == ' ' })
		if ctx.IsSet(flag) && len(*list) == 0 {
			return o, usage("mailsetup check --explain all lists the checks", "--%s names no check", flag)
		}
	}
	return o, o.Validate()
}

func runCheck(ctx context.Context, u ui, o check.Options) error {
	on := u.machine()
	if o.Changed {
		on.Private = "what was found before"
	}
	o.Progress = func(what string) { u.c.Rewrite("checking: " + what) }
	r, err := check.Run(ctx, on, o)
	u.c.Rewrite("")
	if err == nil {
		err = o.Write(u.c.Out, r, u.reportText())
	}
	if err == nil && o.Failed(r) {
		err = errProblemsFound
	}
	return err
}

func explain(ctx *cli.Context, u ui) error {
	if ctx.NArg() > 0 || ctx.NumFlags() > 1 {
		return usage("leave the rest out", "--explain looks at nothing, and goes alone")
	}
	return report.Explain(u.c.Out, ctx.String("explain"), u.reportText())
}

func (u ui) reportText() report.TextOptions {
	return report.TextOptions{Width: u.c.Width, Color: u.c.Color, Typed: u.c.Typed()}
}
