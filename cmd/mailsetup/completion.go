package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/completion"
	"mailsetup/internal/text"
)

// completionCommand prints what makes a shell ask completerCommand.
func completionCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name: "completion", Hidden: true, OnUsageError: usageError,
		Usage: "print the completion script for a shell",
		UsageText: "source <(mailsetup completion bash)\n" +
			"   completes commands, flags, domains, runs and selectors in this shell;\n" +
			"   the Debian package and make install do so for all users",
		ArgsUsage: "bash|zsh|fish",
		Action: func(ctx *cli.Context) error {
			script := completion.Script(ctx.Args().First())
			if ctx.NArg() != 1 || script == "" {
				return usage("mailsetup completion bash", "completion takes one shell: %s", strings.Join(completion.Shells(), ", "))
			}
			_, err := io.WriteString(text.Raw(ctx.App.Writer), script)
			return err
		},
	})
}

// completerCommand prints what the last of its arguments may be, a line each: the word, a
// tab, and what it is. It reads files of mailsetup and asks nobody.
func completerCommand() *cli.Command {
	return &cli.Command{Name: completer, Hidden: true, SkipFlagParsing: true, HideHelp: true, Action: func(ctx *cli.Context) error {
		out := text.Raw(ctx.App.Writer)
		for _, c := range typeable(ctx.App).Complete(ctx.Args().Slice(), completion.Sources{}) {
			word, about := text.Printable(c.Word), text.Printable(c.Help)
			if about != "" {
				word += "\t" + about
			}
			fmt.Fprintln(out, word)
		}
		return nil
	}}
}

const completer = "__complete"

// typeable returns what can be typed.
func typeable(a *cli.App) completion.Program {
	p := completion.Program{Flags: flagsTyped(a.Flags)}
	for _, c := range a.Commands {
		p.Commands = append(p.Commands, completion.Command{
			Name: c.Name, Help: c.Usage, Flags: flagsTyped(c.Flags), Hidden: c.Name == completer,
		})
	}
	return p
}

func flagsTyped(flags []cli.Flag) []completion.Flag {
	var list []completion.Flag
	for _, f := range flags {
		typed := completion.Flag{}
		for _, name := range f.Names() {
			typed.Names = append(typed.Names, text.Dashed(name))
		}
		if typed.Names[0] == "--help" {
			continue
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			typed.Help = d.GetUsage()
			if _, after, found := strings.Cut(typed.Help, "`"); found && d.TakesValue() {
				typed.Value, _, _ = strings.Cut(after, "`")
			}
		}
		list = append(list, typed)
	}
	return list
}
