// Mailsetup makes the mail of a Debian server arrive: it sets up DKIM signing
// with OpenDKIM and Postfix, publishes SPF, DKIM and DMARC records, and proves
// that the result works.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"mailsetup/internal/signals"
	"mailsetup/internal/wizard/quiet"
)

// version is set by the linker.
var version = "devel"

// enough memory for ten thousand domains at once: near it, the collector of
// garbage works harder. It is no bound.
const enough = 132 << 20

func main() {
	quiet.Done()
	debug.SetMemoryLimit(enough)
	c := terminal()
	ctx, watch := signals.Listen(context.Background(), func(text string) { c.say("%s", text) })
	c.watch = watch
	os.Exit(c.deliver(ctx, run(ctx, os.Args, c)))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, c console) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			code = c.crashed(fault)
		}
	}()
	a := app(c)
	return c.finish(a.RunContext(ctx, flagsFirst(a, args)))
}
