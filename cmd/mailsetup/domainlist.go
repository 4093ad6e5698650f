package main

import (
	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/domainlist"
	"mailsetup/internal/text"
)

// maxListSize bounds a list of domains, which may come from anywhere.
const maxListSize = 64 << 20

// givenDomains returns the domains that the arguments and --from-file name, in
// A-labels and each once, in that order. It reports all that is wrong at once.
func givenDomains(c console.Console, ctx *cli.Context) ([]string, error) {
	l := domainlist.List{}
	for _, arg := range ctx.Args().Slice() {
		l.Add(arg, "DOMAIN")
	}
	if file := ctx.String("from-file"); ctx.IsSet("from-file") {
		text, err := c.ReadFile(ctx.Context, file, maxListSize)
		if err != nil {
			return nil, usage("", "--from-file: %w", err)
		}
		l.Read(file, text)
	}
	if err := l.Findings.Err(); err != nil {
		return nil, err
	}
	if len(l.Names) == 0 {
		return nil, usage("mailsetup "+ctx.Command.Name+" --help", "no domain was given")
	}
	if len(l.Duplicates) > 0 {
		c.Say("%s", text.Wrap("given more than once: "+text.List(l.Duplicates, 10), 78))
	}
	return l.Names, nil
}

// fromFileFlag returns the flag for lists of domains.
func fromFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "from-file", Usage: "`FILE` with one domain a line, # for comments; - for stdin"}
}
