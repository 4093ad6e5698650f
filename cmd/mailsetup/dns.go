package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/dnsexport"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/plan"
)

func dnsCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "dns",
		Usage: "print the DNS records, or see whether all name servers have them",
		UsageText: "sudo mailsetup dns example.org --format paste\n" +
			"   the fields of a web form in columns, and what is known of that form\n\n" +
			"sudo mailsetup dns --wait\n" +
			"   asks every name server of every domain itself until all have the records\n" +
			"   (exit 0) or ten minutes are over (exit 3), and says what is wrong there",
		Description: "Without DOMAIN: all domains of this server. Only records go to standard output.\n" +
			"Where DNS has an SPF or DMARC record already, the one to replace it with is\n" +
			"printed. Without root the keys are not known, so DKIM records are left out.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			u := ui{c, options{dryRun: true, root: ctx.String("root"), command: "dns"}}
			o := dnsexport.Options{Form: ctx.String("format"), Wait: ctx.Bool("wait"), Timeout: ctx.String("timeout"), Root: u.o.root, Output: ctx.String("output")}
			if ctx.Bool("json") {
				o.Form = "json"
			}
			u.o.json = o.Form == "json"
			timeout, err := o.Validate()
			if err != nil {
				return err
			}
			return runDNS(ctx.Context, u, ctx.Args().Slice(), o, timeout)
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "the `FORM` of the records: " + strings.Join(dnsexport.Forms(), ", ") + " (default: zone)"},
		&cli.StringFlag{Name: "output", Usage: "write the records to `FILE`; one that somebody edited stays"},
		&cli.BoolFlag{Name: "wait", Usage: "wait until every name server has the records"},
		&cli.StringFlag{Name: "timeout", Usage: "with --wait: `HOW` long, as in 90s or 10m; 0 looks once (default: 10m)"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "root", Usage: "those of the tree below `DIR`, which init --root wrote"},
	}})
}

func runDNS(ctx context.Context, u ui, domains []string, o dnsexport.Options, timeout time.Duration) error {
	r, err := dnsexport.Open(ctx, u.machine(), domains)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.KeysUnknown(); err != nil {
		u.c.Say("%s", message(err))
		u.c.Hints(hint.Of(err))
	}
	if o.Wait {
		return waitForRecords(ctx, u, r, timeout)
	}
	list := r.List(ctx, o.Form)
	for i := 0; !u.o.json && i < len(list); i++ {
		for _, line := range plan.NoteLines(list[i].Notes) {
			u.c.Say("%s", line)
		}
	}
	return r.Print(u.c.Out, list, o)
}

// errProblemsFound is not an error of this program's: the exit code says that
// what was asked about is not as it should be.
var errProblemsFound = errors.New("problems found")

// waitForRecords waits until every name server has what it should, or until the
// timeout is over, and prints what is wrong then.
func waitForRecords(ctx context.Context, u ui, r *dnsexport.Records, timeout time.Duration) error {
	results, complete, err := r.Wait(ctx, timeout, func(lines string) { u.c.Say("%s", lines) }, u.c.Rewrite)
	u.c.Rewrite("")
	if err != nil {
		return err
	}
	all := jsondoc.DNS{}
	for _, one := range results {
		if all.Domains = append(all.Domains, one.Data()); !u.o.json {
			fmt.Fprint(u.c.Out, one.Text())
		}
	}
	if u.o.json {
		err = u.print(all)
	} else if complete {
		fmt.Fprint(u.c.Out, r.AllIsWell(ctx, results))
	}
	if err == nil && !complete {
		return errProblemsFound
	}
	return err
}
