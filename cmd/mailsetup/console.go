package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/term"

	"mailsetup/internal/hint"
	"mailsetup/internal/signals"
	"mailsetup/internal/stdio"
	"mailsetup/internal/text"
)

// console is where a command talks: results to out, the rest to err.
type console struct {
	in          io.Reader
	out, err    io.Writer
	interactive bool // a person can be asked: stdin and stdout are terminals
	color       bool // out is a terminal that takes colour
	live        bool // err is a terminal on which a line can be written again
	width       int
	watch       *signals.Watch // nil in tests
	args        []string       // the command line
}

func terminal() console {
	out := term.IsTerminal(int(os.Stdout.Fd()))
	c := console{
		in: os.Stdin, out: stdio.New(os.Stdout, nil), err: stdio.New(os.Stderr, stdio.Syslog("mailsetup")),
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

// typed is the command line, for hints.
func (c console) typed() hint.Typed { return hint.TypedAs(c.args, os.Geteuid() == 0) }

// rewrite writes a line over the last one, where err is a terminal.
func (c console) rewrite(line string) {
	if c.live {
		fmt.Fprintf(text.Raw(c.err), "\r%s\x1b[K", text.Printable(line))
	}
}

func (c console) say(format string, a ...any) {
	fmt.Fprintln(c.err, c.typed().Text(fmt.Sprintf(format, a...)))
}

// hold keeps the program from being stopped while it changes something, see
// signals.Watch.Hold.
func (c console) hold() (release func()) {
	if c.watch == nil {
		return func() {}
	}
	return c.watch.Hold()
}

// deliver waits until everything that was said is read, or until a signal comes,
// and returns the exit code. What a command did counts for more than who reads it:
// a reader that went away changes nothing, a result that a full disk did not take
// does.
func (c console) deliver(ctx context.Context, code int) int {
	out, ok := c.out.(*stdio.Output)
	if !ok {
		return code
	}
	if err := out.Flush(ctx.Done()); err != nil && !stdio.ReaderGone(err) && (code == exitDone || code == exitFound) {
		c.say("mailsetup: what was asked for is done, but its result is lost: %v", err)
		code = exitUnwritten
	}
	if errs, ok := c.err.(*stdio.Output); ok {
		_ = errs.Flush(ctx.Done())
	}
	return code
}

// crashed says where the program was when a fault of its own ended a command.
func (c console) crashed(fault any) int {
	c.say("mailsetup: internal error: %v\n%s", fault, debug.Stack())
	if c.watch != nil && c.watch.Began() {
		c.hints([]string{"mailsetup recover puts back what was begun"})
		return exitNotUndone
	}
	return exitFailed
}
