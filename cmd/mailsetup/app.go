package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func app(c console) *cli.App {
	commands := []*cli.Command{
		initCommand(c),
		addCommand(c),
		removeCommand(c),
		adoptCommand(c),
		listCommand(c),
		dnsCommand(c),
		rotateCommand(c),
		statusCommand(c),
		historyCommand(c),
		rollbackCommand(c),
		recoverCommand(c),
	}
	return &cli.App{
		Name:                  "mailsetup",
		Version:               version,
		CustomAppHelpTemplate: appHelp(commands),
		Reader:                c.in,
		Writer:                c.out,
		ErrWriter:             c.err,
		HideHelpCommand:       true,
		Commands:              commands,
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
	return usage(where+" --help lists the flags", "%s", flagError(err))
}

// flagError says in our words what Go's flag package found.
func flagError(err error) string {
	text := fmt.Sprintf("%.200s", fmt.Sprint(err))
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "no flag " + dashed(name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return dashed(name) + " needs a value"
	}
	return text
}

func dashed(name string) string {
	name = strings.TrimLeft(name, "-")
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noArguments refuses positional arguments where a command takes none.
func noArguments(ctx *cli.Context) error {
	if ctx.NArg() == 0 {
		return nil
	}
	return usage("mailsetup "+ctx.Command.Name+" --help", "mailsetup %s takes no argument, but got %q",
		ctx.Command.Name, ctx.Args().First())
}
