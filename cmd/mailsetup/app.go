package main

import (
	"fmt"
	"io"
	"strings"

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
	if typed, ok := strings.CutPrefix(err.Error(), undefinedFlag); ok {
		if name := text.Nearest(strings.TrimLeft(typed, "-"), flagNames(ctx)); name != "" {
			hint = "did you mean: --" + name + "\n" + hint
		}
	}
	return usage(hint, "%s", flagError(err))
}

// undefinedFlag is how Go's flag package begins its error about one.
const undefinedFlag = "flag provided but not defined: -"

// flagError returns in our words what Go's flag package found.
func flagError(err error) string {
	said := fmt.Sprintf("%.200s", fmt.Sprint(err))
	if name, ok := strings.CutPrefix(said, undefinedFlag); ok {
		return "no flag " + dashed(name)
	}
	if name, ok := strings.CutPrefix(said, "flag needs an argument: -"); ok {
		return dashed(name) + " needs a value"
	}
	return said
}

func dashed(name string) string {
	name = strings.TrimLeft(name, "-")
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
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
