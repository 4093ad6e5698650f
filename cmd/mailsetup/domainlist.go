package main

import (
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/domainlist"
	"mailsetup/internal/stdio"
)

// maxListSize bounds a list of domains, which may come from anywhere.
const maxListSize = 64 << 20

// givenDomains returns the domains that the arguments and --from-file name, in
// A-labels and each once, in that order. It reports all that is wrong at once.
func (c console) givenDomains(ctx *cli.Context) ([]string, error) {
	l := domainlist.List{}
	for _, arg := range ctx.Args().Slice() {
		l.Add(arg, "DOMAIN")
	}
	if file := ctx.String("from-file"); ctx.IsSet("from-file") {
		text, err := c.listFile(ctx.Context, file)
		if err != nil {
			return nil, err
		}
		l.Read(file, text)
	}
	if err := l.Findings.Err(); err != nil {
		return nil, err
	}
	if len(l.Names) == 0 {
		return nil, usage("mailsetup "+ctx.Command.Name+" --help", "no domain was given")
	}
	for _, name := range l.Duplicates {
		c.say("%s was given more than once", name)
	}
	return l.Names, nil
}

// listFile reads a list of domains from a file, or from stdin for "-".
func (c console) listFile(ctx context.Context, file string) ([]byte, error) {
	in := c.in
	if file != "-" {
		f, err := stdio.Open(ctx, file)
		if err != nil {
			return nil, usage("", "--from-file: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := stdio.ReadAll(ctx, io.LimitReader(in, maxListSize+1))
	if err == nil && len(text) > maxListSize {
		err = errors.New("too long for a list of domains")
	}
	if err != nil {
		return nil, usage("", "--from-file %s: %w", file, err)
	}
	return text, nil
}

// fromFileFlag returns the flag for lists of domains.
func fromFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "from-file", Usage: "`FILE` with one domain a line, # for comments; - for stdin"}
}
