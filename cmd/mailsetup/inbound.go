package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/inventory"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
)

func inboundCommand(c console.Console) *cli.Command {
	inboundOnly := func(p *propose.Proposer) { p.InboundOnly = true }
	usageText, about := spec.Host{}.Inbound.Help()
	return withHelp(&cli.Command{
		Name:         "inbound",
		Usage:        "check mail that comes in: SPF, DMARC, block lists",
		UsageText:    usageText,
		Description:  about,
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			u, a, err := ui{c, modeOptions(ctx)}, answers(ctx), cmp.Or(noArguments(ctx), refuseEmpty(ctx, "spf", "dmarc"))
			a.DMARC = "" // that of mail that comes in
			switch {
			case err != nil:
				return err
			case a.Inbound.Given() || u.person().Asks() || u.o.yes || u.o.dryRun:
				return runSetup(ctx.Context, c, a, u.o, inboundOnly)
			}
			u.o.dryRun = true
			door, err := inventory.Inbound(ctx.Context, u.machine())
			if err != nil {
				return err
			}
			silent := c // a plan says whether the server is as host.toml asks
			silent.Out, silent.Err, silent.Live, u.o.exitCode = io.Discard, io.Discard, false, true
			err = runSetup(ctx.Context, silent, a, u.o, inboundOnly)
			changes := errors.Is(err, errChangesFound)
			if u.o.json {
				return cmp.Or(u.print(door.Document(changes, err)), ctx.Context.Err())
			}
			fmt.Fprint(c.Out, door.Text(), door.Compared(changes, err))
			return ctx.Context.Err()
		},
	}, flagGroup{"What incoming mail meets", inboundFlags("")}, flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", except(modeFlags(), "root-keys")})
}

// inboundFlags are the questions about incoming mail; init has them with a prefix.
func inboundFlags(prefix string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: prefix + "spf", Usage: "`MODE` for mail from servers that its sender's domain forbids: off, mark (a header says so) or reject (forwarded mail, too)"},
		&cli.StringFlag{Name: prefix + "dmarc", Usage: "`MODE` for mail that fails the DMARC policy of the domain in From: off, mark, quarantine (a header to file it by) or reject"},
		&cli.StringSliceFlag{Name: prefix + "dnsbl", Usage: "refuse clients on the block list `LIST`[=CODES], as in zen.spamhaus.org=127.0.0.[2..11]; repeat for more, none for none"},
		&cli.StringSliceFlag{Name: prefix + "allow", Usage: "let `WHO` past all of that: an address, a network, a host by its name, .example.org for those below, @example.org for its senders, a sender; repeat for more"},
		&cli.StringSliceFlag{Name: prefix + "disallow", Usage: "no longer let `WHO` past"},
	}
}

// inboundAnswers reads those flags.
func inboundAnswers(ctx *cli.Context, a *spec.Answers) {
	in, prefix := &a.Inbound, map[bool]string{false: "inbound-"}[ctx.Command.Name == "inbound"]
	in.Plain, in.SPF, in.DMARC = prefix == "", ctx.String(prefix+"spf"), ctx.String(prefix+"dmarc")
	in.DNSBL, in.Allow, in.Disallow = ctx.StringSlice(prefix+"dnsbl"), ctx.StringSlice(prefix+"allow"), ctx.StringSlice(prefix+"disallow")
}
