package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/inventory"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

func inboundCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "inbound",
		Usage: "check mail that comes in: SPF, DMARC, block lists",
		UsageText: "sudo mailsetup inbound\n" +
			"   asks what incoming mail is to meet; without a terminal: says what it meets\n\n" +
			"sudo mailsetup inbound --spf mark --dmarc mark\n" +
			"   a header says what failed, and nothing is refused: the way to start\n\n" +
			"sudo mailsetup inbound --allow 192.0.2.7\n" +
			"   lets in now what those checks refuse: a host, a network, or a sender",
		Description: "Users who log in and hosts of mynetworks are not checked. --spf reject refuses\n" +
			"forwarded mail, too, unless the forwarder rewrites the sender (SRS) or is named\n" +
			"with --allow. --dmarc quarantine and reject do what the domain in From: asks\n" +
			"for; they are offered where a DKIM key that cannot be looked up for the moment\n" +
			"is told from a broken signature. The operator of a block list learns who sends\n" +
			"to you, and whom it lists by mistake is refused. off and none give the files of\n" +
			"the daemons back as they were; packages stay.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			u, a, err := ui{c, modeOptions(ctx)}, answers(ctx), cmp.Or(noArguments(ctx), refuseEmpty(ctx, "spf", "dmarc"))
			a.DMARC = "" // that of mail that comes in
			switch {
			case err != nil:
				return err
			case a.Inbound.Given() || u.asksPerson() || u.o.yes || u.o.dryRun:
				return runSetup(ctx.Context, c, a, u.o, inboundOnly)
			}
			u.o.dryRun = true
			door, err := inventory.Inbound(ctx.Context, u.machine())
			switch {
			case err != nil:
				return err
			case u.o.json:
				return u.printJSON(door)
			}
			fmt.Fprint(c.Out, door.Text())
			return u.compareInbound(ctx.Context, a)
		},
	}, flagGroup{"What incoming mail meets", inboundFlags("")}, flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", except(modeFlags(), "root-keys")})
}

func inboundOnly(p *propose.Proposer) { p.InboundOnly = true }

// compareInbound says where the server is not as host.toml asks: a plan would change it.
func (u ui) compareInbound(ctx context.Context, a spec.Answers) error {
	silent, o := u.c, u.o
	silent.Out, silent.Err, silent.Live, o.exitCode = io.Discard, io.Discard, false, true
	err := runSetup(ctx, silent, a, o, inboundOnly)
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, errChangesFound):
		fmt.Fprintln(u.c.Out, "\nThat is asked for, and this server is not so yet: mailsetup inbound --dry-run\nshows what differs, and mailsetup inbound --yes puts it right.")
	case err != nil:
		fmt.Fprintln(u.c.Out, "\n"+text.Wrap("That is asked for; whether this server is so could not be found out: "+err.Error(), 78))
	}
	return nil
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
	in, prefix := &a.Inbound, "inbound-"
	if in.Plain = ctx.Command.Name == "inbound"; in.Plain {
		prefix = ""
	}
	in.SPF, in.DMARC, in.DNSBL = ctx.String(prefix+"spf"), ctx.String(prefix+"dmarc"), ctx.StringSlice(prefix+"dnsbl")
	in.Allow, in.Disallow = ctx.StringSlice(prefix+"allow"), ctx.StringSlice(prefix+"disallow")
}
