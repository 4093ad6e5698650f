package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/text"
)

// noCommand returns the error about a command that does not exist, with the one
// that was perhaps meant; before is what precedes it ("mailsetup help").
func noCommand(a *cli.App, typed, before string) error {
	var names []string
	for _, c := range a.Commands {
		names = append(names, c.Names()...)
	}
	hint := "mailsetup --help lists the commands"
	if name := text.Nearest(typed, names); name != "" {
		hint = "did you mean: " + before + " " + name + "\n" + hint
	}
	return usage(hint, "no command %q", typed)
}

// flagNames returns the long names of a command's flags, or of the program's.
func flagNames(ctx *cli.Context) []string {
	flags := ctx.App.Flags
	if ctx.Command != nil && ctx.Command.Name != ctx.App.Name {
		flags = ctx.Command.Flags
	}
	names := []string{"help"}
	for _, f := range flags {
		names = append(names, slices.DeleteFunc(slices.Clone(f.Names()), func(n string) bool { return len(n) == 1 })...)
	}
	return names
}
