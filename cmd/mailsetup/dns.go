package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/dnsexport"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

func dnsCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "dns",
		Usage: "print the DNS records, or see whether all name servers have them",
		UsageText: "mailsetup dns example.org --format plain\n" +
			"   a line of name, type and value for each record, as web forms take them\n\n" +
			"sudo mailsetup dns --wait\n" +
			"   asks every name server of every domain itself until all have the records\n" +
			"   (exit 0) or ten minutes are over (exit 3), and says what is wrong there",
		Description: "Without DOMAIN: all domains of this server. Only records go to standard output.\n" +
			"Where DNS has an SPF or DMARC record already, the one to replace it with is\n" +
			"printed. Without root the keys are not known, so DKIM records are left out.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o, err := dnsOptions(ctx)
			if err != nil {
				return err
			}
			return runDNS(ctx.Context, c, o)
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "the `FORM` of the records: " + strings.Join(formNames(), ", ") + " (default: zone)"},
		&cli.BoolFlag{Name: "wait", Usage: "wait until every name server has the records"},
		&cli.StringFlag{Name: "timeout", Usage: "with --wait: `HOW` long, as in 90s or 10m; 0 looks once (default: 10m)"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "root", Usage: "those of the tree below `DIR`, which init --root wrote"},
	}})
}

// dnsRun is what the command was asked for.
type dnsRun struct {
	options
	domains []string // as given
	form    string
	wait    bool
	timeout time.Duration
}

func dnsOptions(ctx *cli.Context) (dnsRun, error) {
	o := dnsRun{
		options: options{dryRun: true, json: ctx.Bool("json"), root: ctx.String("root"), command: "dns"},
		domains: ctx.Args().Slice(), form: ctx.String("format"), wait: ctx.Bool("wait"), timeout: 10 * time.Minute,
	}
	switch {
	case o.form == "json":
		o.json = true
	case o.json:
		o.form = "json"
	case o.form == "":
		o.form = "zone"
	}
	if !slices.Contains(formNames(), o.form) {
		return o, usage("one of "+strings.Join(formNames(), ", "), "--format %q is not known", o.form)
	}
	if text := ctx.String("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return o, usage("as in 90s, 10m or 0", "--timeout %q is no span of time", text)
		}
		o.timeout = d
	}
	switch {
	case o.wait && o.root != "":
		return o, usage("run it on the machine itself", "--wait asks the world, and --root is about a directory")
	case o.wait && ctx.IsSet("format") && o.form != "json":
		return o, usage("leave one of them out", "--format prints records, and --wait asks for them")
	case !o.wait && ctx.IsSet("timeout"):
		return o, usage("add --wait", "--timeout goes with --wait")
	}
	return o, nil
}

func runDNS(ctx context.Context, c console.Console, o dnsRun) error {
	u := ui{c, o.options}
	r, err := dnsexport.Open(ctx, u.machine(), o.domains)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.KeysUnknown(); err != nil {
		c.Say("%s", message(err))
		c.Hints(hint.Of(err))
	}
	if o.wait {
		return waitForRecords(ctx, u, r, o.timeout)
	}
	return printRecords(ctx, u, r, o.form)
}

// formNames are the forms in which records are printed.
func formNames() []string { return slices.Insert(dnsexport.Formats(), 2, "json") }

// printRecords prints the records, and on the other stream what is to be known.
func printRecords(ctx context.Context, u ui, r *dnsexport.Records, form string) error {
	list := r.List(ctx, form)
	if form == "json" {
		return u.printJSON(list)
	}
	for _, d := range list {
		sayNotes(u, d.Notes)
	}
	return r.Write(u.c.Out, list, form)
}

// sayNotes says what is to be known of the records.
func sayNotes(u ui, notes []state.Note) {
	for _, n := range notes {
		u.c.Say("%s", strings.ReplaceAll(text.Wrap(n.Topic+": "+n.Text, 76), "\n", "\n  "))
		if n.Action != "" && !strings.Contains(n.Action, "\n") {
			u.c.Say("  %s", n.Action)
		}
	}
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
	reports := make([]any, 0, len(results))
	for _, one := range results {
		if reports = append(reports, one.Report()); !u.o.json {
			fmt.Fprint(u.c.Out, one.Text())
		}
	}
	if u.o.json {
		err = u.printJSON(reports)
	}
	if err == nil && !complete {
		return errProblemsFound
	}
	return err
}
