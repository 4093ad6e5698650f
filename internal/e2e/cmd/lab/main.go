// Command lab builds the images of the end-to-end tests, opens a shell in a
// throw-away Debian server, and clears away what was left running.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"mailsetup/internal/e2e/lab"
)

const usage = `usage:
  lab images                    build the images that are missing
  lab shell RELEASE [IMAGE]     boot a server, open a shell in it, remove it
  lab demo RELEASE              set up mail on a bare server, send, verify
  lab pictures RELEASE DIR      draw what mailsetup shows, for the pages
  lab clean [BOX...]            remove boxes that were kept, all without names
RELEASE is bookworm or trixie. IMAGE is bare (BIND, no mail package) or mail
(postfix and opendkim as the packages left them; the default).
`

func main() {
	// Boxes go with this process, whatever ends it; the signal only has to
	// reach the code that waits.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func command(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	l, err := lab.Open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l.Log = func(format string, a ...any) { fmt.Fprintf(os.Stderr, "lab: "+format+"\n", a...) }
	switch name, rest := args[0], args[1:]; {
	case name == "images" && len(rest) == 0:
		err = l.Build(ctx)
	case name == "clean":
		err = l.Clean(rest...)
	case name == "shell" && (len(rest) == 1 || len(rest) == 2):
		return session(ctx, func(s *terminal) { shell(s, rest) })
	case name == "pictures" && len(rest) == 2:
		return session(ctx, func(s *terminal) { pictures(s, rest[0], rest[1]) })
	case name == "demo" && len(rest) == 1:
		return session(ctx, func(s *terminal) { demo(s, rest[0]) })
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shell boots a server with the zones of the tests, the sink and mailsetup,
// and hands the terminal to a shell in it.
func shell(t *terminal, args []string) {
	opts := lab.Options{Release: args[0], Image: lab.Mail}
	if len(args) == 2 {
		opts.Image = lab.Image(args[1])
	}
	b := lab.Boot(t, opts)
	b.Named(t, "lab.example")
	b.Sink(t)
	b.Install(t)
	t.Logf("%s is %s on %s; its BIND serves lab.example, mail for %s ends in the sink", b.Hostname, b.Addr, opts.Release, lab.RemoteZone)
	t.Logf("try: mailsetup --help; leave with exit, and the server is gone")
	enter(t, b)
}
