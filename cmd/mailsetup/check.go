package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/check"
	"mailsetup/internal/check/report"
	"mailsetup/internal/console"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
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
			"sudo mailsetup check --fix\n" +
			"   carries out what mailsetup init would, after your yes, and looks again\n\n" +
			"sudo mailsetup check --changed\n" +
			"   prints what is new, worse or mended since the last time, or nothing",
		Description: "A finding is a problem (mail is lost, unsigned or refused), a warning, a note,\n" +
			"ok, or unknown: it could not be found out, which is neither passed nor failed.\n" +
			"Nobody's mailbox sees the test messages of the live path, and nothing leaves\n" +
			"the machine without --send-to. Without root less can be seen. Groups are what\n" +
			"IDs begin with (spf, dkim, live); mailsetup check --explain all lists the IDs.",
		ArgsUsage: "[DOMAIN...]",
		OnUsageError: func(x *cli.Context, err error, sub bool) error {
			return notRun(c, report.ForNagios(c.Args), usageError(x, err, sub))
		},
		Action: func(ctx *cli.Context) error {
			u := ui{c, options{dryRun: true, json: ctx.Bool("json"), command: "check"}}
			if ctx.IsSet("explain") {
				return explain(ctx, u)
			}
			o, err := checkOptions(ctx)
			o.Rewrite = c.Rewrite
			switch mode := modeOptions(ctx); {
			case err != nil:
			case o.Fix:
				err = runFix(ctx.Context, c, answers(ctx), mode, o)
			default:
				err = runCheck(ctx.Context, u, o)
			}
			return notRun(c, o.Form == "nagios", err)
		},
	}, flagGroup{"What to look at", []cli.Flag{
		&cli.StringSliceFlag{Name: "only", Usage: "these `IDS` or groups, with commas: spf,dkim.match"},
		&cli.StringSliceFlag{Name: "skip", Usage: "all but these `IDS` or groups: live leaves out the test messages"},
		&cli.BoolFlag{Name: "offline", Usage: "ask no DNS"},
		&cli.BoolFlag{Name: "online", Usage: "ask hosts of others as well: port 25, MTA-STS, block lists, registries"},
		&cli.StringFlag{Name: "login", Usage: "hand a message in as users do: `FILE` has user and password, a line each (root's, 0600)"},
		&cli.StringFlag{Name: "send-to", Usage: "send one signed message to `ADDRESS` elsewhere: mail leaves this server"},
		&cli.StringFlag{Name: "resolver", Usage: "the `ADDRESS` of the resolver to ask (default: that of /etc/resolv.conf)"},
		&cli.StringSliceFlag{Name: "message", Usage: "a saved message in `FILE` as well: its form, and what spam filters here make of it"},
	}}, flagGroup{"What to say", []cli.Flag{
		&cli.BoolFlag{Name: "changed", Usage: "what differs from the last time, once"},
		&cli.BoolFlag{Name: "mail", Usage: "with --changed: and mail it, to notify of host.toml or to root"},
		&cli.BoolFlag{Name: "notes", Usage: "print notes as well: worth knowing, and nothing to be done"},
		&cli.BoolFlag{Name: "strict", Usage: "exit 3 also for what is unknown, and if nothing was looked at"},
		&cli.StringFlag{Name: "format", Usage: "the `FORM`: " + strings.Join(check.Forms(), ", ") + " (default: text)"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "html", Usage: "write a page for a browser to `FILE`, too, to be handed on"},
		&cli.StringFlag{Name: "explain", Usage: "say what `ID`, a group or all is about, and look at nothing"},
	}}, flagGroup{"What to mend", slices.Concat([]cli.Flag{
		&cli.BoolFlag{Name: "fix", Usage: "mend what mailsetup init would mend, and look again; the flags below go with it"},
	}, fixFlags())})
}

// notRun has Nagios told that a check could not run: an exit code of 2 means critical to it.
func notRun(c console.Console, nagios bool, err error) error {
	return report.NotRun(c.Out, nagios, err, func() { finish(c, err) })
}

// checkOptions reads the flags. Its result is of use also with an error.
func checkOptions(ctx *cli.Context) (check.Options, error) {
	o := check.Options{
		Domains: ctx.Args().Slice(), Offline: ctx.Bool("offline"), Online: ctx.Bool("online"), Resolver: ctx.String("resolver"),
		Login: ctx.String("login"), SendTo: ctx.String("send-to"),
		Messages: ctx.StringSlice("message"), Form: ctx.String("format"), Changed: ctx.Bool("changed"), Mail: ctx.Bool("mail"),
		Notes: ctx.Bool("notes"), Strict: ctx.Bool("strict"), Fix: ctx.Bool("fix"),
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
	for _, f := range fixFlags() {
		if name := f.Names()[0]; ctx.IsSet(name) && !o.Fix {
			return o, usage("add --fix", "--%s goes with --fix", name)
		}
	}
	return o, cmp.Or(refuseEmpty(ctx, "format", "login", "resolver", "send-to"), o.Validate())
}

// fixFlags say how to mend.
func fixFlags() []cli.Flag {
	return append(only(modeFlags(), "yes", "dry-run", "verbose", "overwrite-drift"), consentFlags()...)
}

func runCheck(ctx context.Context, u ui, o check.Options) error {
	on := u.machine()
	if o.Changed {
		on.Private = "what was found before"
	}
	o.Print = func(r report.Report) (told bool, err error) { return u.printCheck(ctx, o, r) }
	r, err := check.Run(ctx, on, o)
	if err != nil {
		return err
	}
	return o.Verdict(r, errProblemsFound, u.c.Tell)
}

// printCheck prints a report, and reports whether all of it was read.
func (u ui) printCheck(ctx context.Context, o check.Options, r report.Report) (bool, error) {
	err := o.Write(u.c.Out, r, u.reportText())
	return err == nil && u.c.Taken(ctx), err
}

// runFix has init mend what the check finds, in its own words and with its own
// questions, and checks again. Who is asked has the report above the question; else it
// is printed where nothing comes of it.
func runFix(ctx context.Context, c console.Console, a spec.Answers, mode options, o check.Options) error {
	u := ui{c, options{dryRun: true, json: mode.json, command: "check"}}
	on := u.machine()
	if !mode.dryRun {
		on.Private = "all that can be mended"
	}
	first, asks, run := o, !mode.dryRun && ui{c, mode}.person().Asks(), c
	first.Print = func(r report.Report) (bool, error) {
		if !asks && len(r.Fix().Mends) > 0 {
			return false, nil
		}
		return u.printCheck(ctx, o, r)
	}
	r, err := check.Run(ctx, on, first)
	if err != nil {
		return err
	}
	fix := r.Fix()
	c.Say("%s", fix)
	if len(fix.Mends) == 0 {
		return o.Verdict(r, errProblemsFound, u.c.Tell)
	}
	if mode.json && !mode.dryRun {
		run.Out = io.Discard // the report is all that is printed
	}
	mode.install = true
	if err = fix.Check(asks || mode.dryRun); err == nil {
		err = runSetup(ctx, run, a, mode, func(p *propose.Proposer) { p.Recheck = fix.Domains })
	}
	switch {
	case mode.dryRun:
		return err
	case err == nil || errors.Is(err, errProblemsFound):
		o.JustChanged = true
		return runCheck(ctx, u, o)
	case !asks:
		r.Failed = failure(c, err)
		_, _ = u.printCheck(ctx, o, r) // why nothing was mended matters more
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
