// Mailsetup makes the mail of a Debian server arrive: it sets up DKIM signing
// with OpenDKIM and Postfix, publishes SPF, DKIM and DMARC records, and proves
// that the result works.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args, terminal())
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	a := app(c)
	return c.finish(a.RunContext(ctx, flagsFirst(a, args)))
}
