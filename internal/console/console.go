// Package console is where a command talks to people: streams, what a terminal can do,
// errors and hints, progress.
package console

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"mailsetup/internal/hint"
	"mailsetup/internal/signals"
	"mailsetup/internal/stdio"
	"mailsetup/internal/text"
)

// Console is where a command talks: results to Out, the rest to Err.
type Console struct {
	In          io.Reader
	Out, Err    io.Writer
	Interactive bool // a person can be asked: stdin and stdout are terminals
	Color       bool // Out is a terminal that takes colour
	Live        bool // Err is a terminal on which a line can be written again
	Width       int
	Watch       *signals.Watch // nil in tests
	Args        []string       // the command line
}

// Open returns the console of this process, and a context that ends with a signal.
func Open(ctx context.Context) (context.Context, Console) {
	c := standard()
	ctx, c.Watch = signals.Listen(ctx, func(text string) { c.Say("%s", text) })
	return ctx, c
}

// standard is the console of the standard streams.
func standard() Console {
	out := term.IsTerminal(int(os.Stdout.Fd()))
	c := Console{
		In: os.Stdin, Out: stdio.New(os.Stdout, nil), Err: stdio.New(os.Stderr, stdio.Syslog("mailsetup")),
		Interactive: out && term.IsTerminal(int(os.Stdin.Fd())),
		Color:       out && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Live:        term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		Width:       80,
	}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 20 {
		c.Width = w
	}
	return c
}

// Typed is the command line, for hints.
func (c Console) Typed() hint.Typed { return hint.TypedAs(c.Args, os.Geteuid() == 0) }

// Rewrite writes a line over the last one, where Err is a terminal.
func (c Console) Rewrite(line string) {
	if c.Live {
		fmt.Fprintf(text.Raw(c.Err), "\r%s\x1b[K", text.Printable(line))
	}
}

// Say writes a line to Err.
func (c Console) Say(format string, a ...any) {
	fmt.Fprintln(c.Err, c.Typed().Text(fmt.Sprintf(format, a...)))
}

// Hold keeps the program from being stopped while it changes something, see
// signals.Watch.Hold.
func (c Console) Hold() (release func()) {
	if c.Watch == nil {
		return func() {}
	}
	return c.Watch.Hold()
}

// Deliver waits until everything that was said is read, or until a signal comes. It
// reports whether a result, if there is one, was lost. What a command did counts for
// more than who reads it: a reader that went away changes nothing, a result that a full
// disk did not take does.
func (c Console) Deliver(ctx context.Context, result bool) (lost bool) {
	out, ok := c.Out.(*stdio.Output)
	if !ok {
		return false
	}
	if err := out.Flush(ctx.Done()); err != nil && !stdio.ReaderGone(err) && result {
		c.Say("mailsetup: what was asked for is done, but its result is lost: %v", err)
		lost = true
	}
	if errs, ok := c.Err.(*stdio.Output); ok {
		_ = errs.Flush(ctx.Done())
	}
	return lost
}

// Taken waits until all results are read, or until a signal comes, and reports whether
// they were.
func (c Console) Taken(ctx context.Context) bool {
	out, ok := text.Raw(c.Out).(*stdio.Output)
	return !ok || out.Flush(ctx.Done()) == nil && ctx.Err() == nil
}

// Tell says what is wrong. On a terminal it breaks between words.
func (c Console) Tell(what string) {
	for line := range strings.SplitSeq(what, "\n") {
		if c.Live && !strings.HasPrefix(line, " ") { // which is a command, or what a daemon wrote
			line = strings.Join(text.WrapAction(line, c.Width), "\n")
		}
		c.Say("%s", line)
	}
}

// Hints says what a person can type, a line each.
func (c Console) Hints(hints []string) {
	for _, line := range hint.Print(c.Typed().Lines(hints)) {
		const indent = len("hint: ")
		if c.Live {
			line = line[:indent] + strings.Join(text.WrapAction(line[indent:], c.Width-indent), "\n"+strings.Repeat(" ", indent))
		}
		c.Say("%s", line)
	}
}

// Printed reports whether anything was written to Out.
func (c Console) Printed() bool {
	out, ok := text.Raw(c.Out).(interface{ Begun() bool })
	return ok && out.Begun()
}
