package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/check"
	"mailsetup/internal/console"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/rotation"
	"mailsetup/internal/text"
)

func rotateCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "rotate-dkim",
		Usage: "replace keys that are old, as far as that is safe now",
		UsageText: "sudo mailsetup rotate-dkim --yes\n" +
			"   does what is due, and says nothing if nothing is: made to run every hour\n\n" +
			"sudo mailsetup rotate-dkim --now example.org --yes\n" +
			"   begins a rotation that is not due; later runs go on with it\n\n" +
			"sudo mailsetup rotate-dkim --compromised example.org\n" +
			"   others may have its private key: says what a new one costs now, and asks",
		Description: "A new key is made and published, and signs once every name server has shown\n" +
			"its record for long enough; then a message through the signer has to come out\n" +
			"with it, or the old key goes on. The old record stays for mail under way, and\n" +
			"goes with its private key after that. How often and how long: rotate_every,\n" +
			"lag, drain and revoke in /etc/mailsetup. Where you publish records yourself,\n" +
			"the run prints the new one, at most once a day, with exit code 3, and mails it\n" +
			"to whoever host.toml names in notify; later runs notice that it is there and\n" +
			"go on.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o := modeOptions(ctx)
			r := rotation.Options{Domains: ctx.Args().Slice(), Force: ctx.Bool("now"), All: ctx.Bool("all"), Compromised: ctx.Bool("compromised"), DryRun: o.dryRun, Brief: !o.json && !o.verbose}
			if err := cmp.Or(r.Normalize(o.root), checkHow(o, "")); err != nil {
				return err
			}
			return runRotate(ctx.Context, c, o, r)
		},
	}, flagGroup{"What to do", []cli.Flag{
		&cli.BoolFlag{Name: "now", Usage: "begin a rotation of the named domains although none is due"},
		&cli.BoolFlag{Name: "all", Usage: "with --now: of all domains, where there are several"},
		&cli.BoolFlag{Name: "compromised", Usage: "others may have the private keys of `DOMAIN`: another signs as soon as its record is on every server, and the old one is revoked at once; mail under way then fails"},
	}}, flagGroup{"How to go about it", runFlags()})
}

func runRotate(ctx context.Context, c console.Console, o options, r rotation.Options) error {
	err := rotate(ctx, c, o, r)
	job := len(r.Domains) == 0 && !r.Force && !r.DryRun && o.root == "" // what a timer or cron calls
	if err != nil && job && !c.Interactive {
		mailFailure(ctx, c, err)
	}
	return err
}

func rotate(ctx context.Context, c console.Console, o options, asked rotation.Options) error {
	r, done, err := openRotator(ctx, c, o)
	if err != nil {
		return err
	}
	defer done()
	report, err := r.Run(ctx, asked)
	if report == nil {
		return err
	}
	if err == nil && report.Changed && r.Machine != nil {
		report.Check = check.After(ctx, r.Machine, r.Known(), report.Domains())
	}
	printed := printReport(ui{c, o}, report, asked.DryRun, err)
	switch {
	case err != nil:
		return err
	case printed == nil && report.Attention:
		return errProblemsFound
	}
	return printed
}

// openRotator opens the machine for a run about keys.
func openRotator(ctx context.Context, c console.Console, o options) (r *rotation.Rotator, done func(), err error) {
	u := ui{c, o}
	return rotation.Open(ctx, u.machine(), u.provisioning(), rotationUI{u}, u.person())
}

// rotationUI tells people what a rotation does.
type rotationUI struct{ ui }

// Logf implements rotation.UI.
func (u rotationUI) Logf(format string, a ...any) { u.c.Say(format, a...) }

// ShowTransitions implements rotation.UI.
func (u rotationUI) ShowTransitions(lines []string) {
	if !u.o.json {
		fmt.Fprint(u.c.Out, text.First(lines, maxNotesPerTopic, "step"))
	}
}

// ShowPlan implements rotation.UI: of what needs no confirmation any more.
func (u rotationUI) ShowPlan(p plan.Plan) {
	if !u.o.json {
		u.person().Summarize(p)
	}
}

// ShowResult says what is wrong, and leaves the rest to the report where that is
// data.
func (u rotationUI) ShowResult(r provision.Result) {
	if !u.o.json {
		_ = printRun(u.ui, r, nil) // a rotation has proven its keys itself
	}
}

// StartBar implements rotation.UI.
func (u rotationUI) StartBar(what string, total int) (step, end func()) {
	if !u.c.Live || u.o.accessible {
		total = 0 // a timer that finds nothing to do says nothing
	}
	return u.c.StartBar(what, total)
}

// printReport prints what a rotation did that was not printed as it happened.
func printReport(u ui, r *rotation.Report, dryRun bool, failed error) error {
	switch {
	case dryRun:
		return printDryRotation(u, r, failed)
	case u.o.json:
		d := r.Document()
		if failed != nil {
			d.Error = failure(u.c, failed)
		}
		return u.print(d)
	}
	if r.Keys != nil {
		printKeys(u, r.Keys, r.Now, len(r.Failed) > 0)
	}
	shown := r.Waiting
	if len(shown) > maxNotesPerTopic {
		shown = shown[:3]
	}
	for _, k := range shown {
		printWaiting(u, k)
	}
	if more := len(r.Waiting) - len(shown); more > 0 {
		fmt.Fprintf(u.c.Out, "\n%s\n", text.Wrap(fmt.Sprintf("and %d more: mailsetup dns prints all records, mailsetup status says what each key waits for", more), 78))
	}
	printNotes(u, r.Reminders)
	u.printFound(r.Check)
	return nil
}

// printDryRotation prints the plan of a dry run or, where nothing is due, when
// something will be.
func printDryRotation(u ui, r *rotation.Report, failed error) error {
	p := r.Planned()
	switch {
	case u.o.json:
		d := r.DryDocument()
		if failed != nil {
			d.Error = failure(u.c, failed)
		}
		if err := u.print(d); err != nil {
			return err
		}
	case r.Plan == nil:
		printKeys(u, r.Keys, r.Now, len(r.Failed) > 0)
	case r.Quiet: // all was said
	default:
		return showDry(u, p)
	}
	if u.o.exitCode && !p.Empty() {
		return errChangesFound
	}
	return nil
}

func printWaiting(u ui, k rotation.WaitingKey) {
	if k.ByHand() {
		fmt.Fprintf(u.c.Out, "%s: publish this record; a later run notices and goes on by itself\n\n%s\n", k.Domain, k.Lines())
	}
	if why := k.String(); why != "" {
		u.c.Say("%s", text.Wrap(text.Printable(why), 78))
	}
	u.c.Hints([]string{"mailsetup dns --wait " + k.Domain + " shows what each name server has"})
}

// mailFailure mails why a run failed that nobody sits in front of.
func mailFailure(ctx context.Context, c console.Console, failed error) {
	if code, _ := exitCode(failed); errors.Is(failed, errProblemsFound) || code == exitInterrupted || os.Geteuid() != 0 {
		return
	}
	if err := rotation.ReportFailure(ctx, failed); err != nil {
		c.Say("%s", message(err))
	}
}
