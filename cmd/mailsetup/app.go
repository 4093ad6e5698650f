package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/text"
)

func app(c console.Console) *cli.App {
	commands := []*cli.Command{
		initCommand(c),
		addCommand(c),
		removeCommand(c),
		applyCommand(c),
		adoptCommand(c),
		inboundCommand(c),
		listCommand(c),
		dnsCommand(c),
		rotateCommand(c),
		statusCommand(c),
		checkCommand(c),
		historyCommand(c),
		rollbackCommand(c),
		recoverCommand(c),
		backupCommand(c),
		restoreCommand(c),
		uninstallCommand(c),
	}
	shown := appHelp(commands)
	commands = append(commands, helpCommand(), versionCommand(c), completionCommand(), completerCommand())
	return &cli.App{
		Name:                  "mailsetup",
		Version:               build().String(),
		CustomAppHelpTemplate: shown,
		Reader:                c.In,
		Writer:                c.Out,
		ErrWriter:             c.Err,
		HideHelpCommand:       true,
		Flags:                 []cli.Flag{cli.HelpFlag}, // not added where there is a command of that name
		Commands:              commands,
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() > 0 {
				return noCommand(ctx.App, ctx.Args().First(), "mailsetup")
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
	hint := where + " --help lists the flags"
	if typed, ok := text.UndefinedFlag(err); ok {
		if name := text.Nearest(typed, flagNames(ctx)); name != "" {
			hint = "did you mean: --" + name + "\n" + hint
		}
	}
	return usage(hint, "%s", text.FlagError(err))
}

// helpCommand is for those who type the word instead of the flag; --help does not
// list it, nor versionCommand.
func helpCommand() *cli.Command {
	cmd := &cli.Command{Name: "help", Usage: "what --help says", UsageText: "mailsetup help [COMMAND]", Hidden: true}
	cmd.Action = func(ctx *cli.Context) error {
		if ctx.NArg() == 0 {
			return cli.ShowAppHelp(ctx)
		}
		about := ctx.App.Command(ctx.Args().First())
		if about == nil {
			return noCommand(ctx.App, ctx.Args().First(), "mailsetup help")
		}
		_, err := io.WriteString(ctx.App.Writer, about.CustomHelpTemplate)
		return err
	}
	return withHelp(cmd)
}

// noArguments refuses positional arguments where a command takes none.
func noArguments(ctx *cli.Context) error {
	if ctx.NArg() == 0 {
		return nil
	}
	return usage("mailsetup "+ctx.Command.Name+" --help", "mailsetup %s takes no argument, but got %q",
		ctx.Command.Name, ctx.Args().First())
}
