// Mailsetup makes the mail of a Debian server arrive: it sets up DKIM signing
// with OpenDKIM and Postfix, publishes SPF, DKIM and DMARC records, and proves
// that the result works.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"mailsetup/internal/signals"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard/quiet"
)

// version is set by the linker.
var version = "devel"

// memoryLimit is enough for ten thousand domains at once. It is a soft limit: near
// it the garbage collector works harder.
const memoryLimit = 132 << 20

func main() {
	quiet.Done()
	debug.SetMemoryLimit(memoryLimit)
	c := terminal()
	ctx, watch := signals.Listen(context.Background(), func(text string) { c.say("%s", text) })
	c.watch = watch
	os.Exit(c.deliver(ctx, run(ctx, os.Args, c)))
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, c console) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			code = c.crashed(fault)
		}
	}()
	c.args = args
	c.out, c.err = text.NewSafeWriter(c.out), text.NewSafeWriter(c.err)
	a := app(c)
	return c.finish(a.RunContext(ctx, flagsFirst(a, args)))
}
