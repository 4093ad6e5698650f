package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// console is where a command talks: results to out, the rest to err.
type console struct {
	in          io.Reader
	out, err    io.Writer
	interactive bool // a person can be asked: stdin and stdout are terminals
	color       bool // out is a terminal that takes colour
	live        bool // err is a terminal on which a line can be written again
	width       int
}

func terminal() console {
	out := term.IsTerminal(int(os.Stdout.Fd()))
	c := console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		interactive: out && term.IsTerminal(int(os.Stdin.Fd())),
		color:       out && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		live:        term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		width:       80,
	}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 20 {
		c.width = w
	}
	return c
}

func (c console) say(format string, a ...any) { fmt.Fprintf(c.err, format+"\n", a...) }
