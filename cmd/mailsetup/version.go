package main

import (
	"runtime"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/jsondoc"
)

// program is what this program is made of.
type program jsondoc.Version

func build() program { return program{version, commit, runtime.Version()} }

func (p program) String() string {
	made := p.Go
	if p.Commit != "" {
		made = "commit " + p.Commit[:min(12, len(p.Commit))] + ", " + made
	}
	return p.Version + " (" + made + ")"
}

func versionCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name: "version", Usage: "what --version says: version, commit, and the Go that built it",
		UsageText: "mailsetup version [--json]", Hidden: true, OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			if ctx.Bool("json") {
				return ui{c, options{}}.print(jsondoc.Version(build()))
			}
			cli.ShowVersion(ctx)
			return nil
		},
	}, flagGroup{"Flags", []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print data"}}})
}
