package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func app(c console) *cli.App {
	return &cli.App{
		Name:    "mailsetup",
		Usage:   "make a Debian server's mail arrive: DKIM, SPF, DMARC, set up and proven",
		Version: version,
		Description: "sudo mailsetup init            asks a few questions, shows the plan, does it\n" +
			"mailsetup init --dry-run …     shows the plan and stops\n\n" +
			"Exit codes: 0 done or nothing to do · 1 failed, machine as it was ·\n" +
			"2 usage or invalid wish · 3 --dry-run --exit-code found changes ·\n" +
			"4 failed and not fully undone · 130 interrupted and undone",
		Reader:                 c.in,
		Writer:                 c.out,
		ErrWriter:              c.err,
		HideHelpCommand:        true,
		UseShortOptionHandling: false,
		Commands: []*cli.Command{
			initCommand(c),
			historyCommand(c),
			rollbackCommand(c),
			recoverCommand(c),
		},
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() > 0 {
				return usage("mailsetup --help lists the commands", "no command %q", ctx.Args().First())
			}
			return cli.ShowAppHelp(ctx)
		},
		OnUsageError: usageError,
		// Exit codes are main's business: cli's own handler would call os.Exit
		// and skip the release of the lock.
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

func usageError(ctx *cli.Context, err error, _ bool) error {
	where := "mailsetup"
	if ctx.Command != nil && ctx.Command.Name != "" && ctx.Command.Name != where {
		where += " " + ctx.Command.Name
	}
	return usage(where+" --help lists the flags", "%s: %s", where, oneLine(err))
}

func oneLine(err error) string { return fmt.Sprintf("%.200s", fmt.Sprint(err)) }

// noArguments refuses positional arguments where a command takes none.
func noArguments(ctx *cli.Context) error {
	if ctx.NArg() == 0 {
		return nil
	}
	return usage("mailsetup "+ctx.Command.Name+" --help", "mailsetup %s takes no argument, but got %q",
		ctx.Command.Name, ctx.Args().First())
}
