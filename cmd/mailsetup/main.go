// Mailsetup makes the mail of a Debian server arrive: it sets up DKIM signing
// with OpenDKIM and Postfix, publishes SPF, DKIM and DMARC records, and proves
// that the result works.
package main

import (
	"context"
	"os"

	"mailsetup/internal/console"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard/quiet"
)

// version and commit are set by the linker.
var version, commit = "devel", ""

func main() {
	quiet.Done()
	ctx, c := console.Open(context.Background())
	code := run(ctx, os.Args, c)
	if c.Deliver(ctx, code == exitDone || code == exitFound) {
		code = exitUnwritten
	}
	os.Exit(code)
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, c console.Console) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			code = crashed(c, fault)
		}
	}()
	c.Args = args
	c.Out, c.Err = text.NewSafeWriter(c.Out), text.NewSafeWriter(c.Err)
	a := app(c)
	return finish(c, a.RunContext(ctx, flagsFirst(a, args)))
}
