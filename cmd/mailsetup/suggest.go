package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// minSimilarity is the Jaro-Winkler similarity, of at most 1, from which a word is
// taken for another one, mistyped. urfave/cli has suggestions of its own, by the same
// measure, but without such a limit: it proposes something for any word.
const minSimilarity = 0.84

// nearest returns the name that a mistyped one was meant to be, "" if none is
// like it. A word that begins exactly one name stands for that.
func nearest(typed string, names []string) string {
	begins := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, typed) })
	if len(begins) == 1 && len(typed) > 1 {
		return begins[0]
	}
	best, name := minSimilarity, ""
	for _, n := range names {
		if is := smetrics.JaroWinkler(typed, n, 0.7, 4); is >= best {
			best, name = is, n
		}
	}
	return name
}

// noCommand returns the error about a command that does not exist, with the one
// that was perhaps meant; before is what precedes it ("mailsetup help").
func noCommand(a *cli.App, typed, before string) error {
	var names []string
	for _, c := range a.Commands {
		names = append(names, c.Names()...)
	}
	hint := "mailsetup --help lists the commands"
	if name := nearest(typed, names); name != "" {
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
