package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/spec"
)

// maxListSize bounds a list of domains, which may come from anywhere.
const maxListSize = 64 << 20

// givenDomains returns the domains that the arguments and --from-file name, in
// A-labels and each once, in that order. It reports all that is wrong at once.
func (c console) givenDomains(ctx *cli.Context) ([]string, error) {
	l := domainList{known: map[string]bool{}}
	for _, arg := range ctx.Args().Slice() {
		l.add(arg, "DOMAIN")
	}
	if file := ctx.String("from-file"); ctx.IsSet("from-file") {
		text, err := c.listFile(file)
		if err != nil {
			return nil, err
		}
		l.read(file, text)
	}
	if err := l.findings.Err(); err != nil {
		return nil, err
	}
	if len(l.names) == 0 {
		return nil, usage("mailsetup "+ctx.Command.Name+" --help", "no domain was given")
	}
	for _, name := range l.twice {
		c.say("%s was given more than once", name)
	}
	return l.names, nil
}

// listFile reads a list of domains from a file, or from stdin for "-".
func (c console) listFile(file string) ([]byte, error) {
	in := c.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usage("", "--from-file: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxListSize+1))
	if err == nil && len(text) > maxListSize {
		err = errors.New("too long for a list of domains")
	}
	if err != nil {
		return nil, usage("", "--from-file %s: %w", file, err)
	}
	return text, nil
}

// domainList collects domains and what is wrong with them.
type domainList struct {
	names, twice []string
	known        map[string]bool
	findings     spec.Findings
}

// add takes one name from a place: an argument, or file and line.
func (l *domainList) add(given, place string) {
	name, err := spec.DomainName(given)
	bad := (*spec.BadValue)(nil)
	switch {
	case errors.As(err, &bad):
		l.findings = append(l.findings, bad.Finding(place))
	case !l.known[name]:
		l.known[name] = true
		l.names = append(l.names, name)
	default:
		l.twice = append(l.twice, name)
	}
}

// read takes one name a line. What follows a # is a comment, and editors of
// other systems leave a byte order mark and carriage returns.
func (l *domainList) read(file string, text []byte) {
	if file == "-" {
		file = "stdin"
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			l.add(line, fmt.Sprintf("%s:%d:", file, n))
		}
	}
}

// fromFile returns the flag for lists of domains.
func fromFile() cli.Flag {
	return &cli.StringFlag{Name: "from-file", Usage: "`FILE` with one domain a line, # for comments; - for stdin"}
}
