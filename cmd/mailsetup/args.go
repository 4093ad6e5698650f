package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command before its positional arguments:
// urfave/cli v2 takes everything after the first positional for one more
// positional, so that `rollback ID --dry-run` would really run.
func flagsFirst(a *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	i := slices.IndexFunc(args[1:], func(s string) bool { return !strings.HasPrefix(s, "-") }) + 1
	if i == 0 {
		return args
	}
	cmd := a.Command(args[i])
	if cmd == nil || cmd.SkipFlagParsing {
		return args
	}
	flags, rest := split(cmd, args[i+1:])
	return slices.Concat(args[:i+1], flags, rest)
}

// split separates the arguments of a command into flags, with their values, and
// the rest. What follows "--" is left alone.
func split(cmd *cli.Command, args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return flags, append(rest, args[i:]...)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			rest = append(rest, arg)
		default:
			flags = append(flags, arg)
			if takesValue(cmd, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return flags, rest
}

func takesValue(cmd *cli.Command, arg string) bool {
	name, _, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if given {
		return false
	}
	for _, f := range cmd.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}
