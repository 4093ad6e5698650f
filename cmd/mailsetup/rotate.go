package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/domainlist"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/rotation"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

func rotateCommand(c console) *cli.Command {
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
			o := howOptions(ctx)
			r := rotation.Options{Domains: ctx.Args().Slice(), Force: ctx.Bool("now"), Compromised: ctx.Bool("compromised"), DryRun: o.dryRun}
			if err := checkRotation(&r, o); err != nil {
				return err
			}
			return runRotate(ctx.Context, c, o, r)
		},
	}, flagGroup{"What to do", []cli.Flag{
		&cli.BoolFlag{Name: "now", Usage: "begin a rotation although none is due; of all domains if none is named"},
		&cli.BoolFlag{Name: "compromised", Usage: "others may have the private keys of `DOMAIN`: another signs as soon as its record is on every server, and the old one is revoked at once; mail under way then fails"},
	}}, flagGroup{"How to go about it", runFlags()})
}

// checkRotation refuses what makes no sense, and normalizes the domains.
func checkRotation(r *rotation.Options, o options) error {
	l := domainlist.List{}
	for _, given := range r.Domains {
		l.Add(given, "DOMAIN")
	}
	if err := l.Findings.Err(); err != nil {
		return err
	}
	r.Domains = l.Names
	switch {
	case r.Compromised && len(r.Domains) == 0:
		return usage("name the domains whose keys others may have", "--compromised needs a domain")
	case (r.Force || r.Compromised) && o.root != "":
		return usage("run it on the machine itself", "--root is about a directory, where nothing signs")
	}
	return checkHow(o, "")
}

func runRotate(ctx context.Context, c console, o options, r rotation.Options) error {
	err := rotate(ctx, c, o, r)
	job := len(r.Domains) == 0 && !r.Force && !r.DryRun && o.root == "" // what a timer or cron calls
	if err != nil && job && !c.interactive {
		mailFailure(ctx, c, o, err)
	}
	return err
}

func rotate(ctx context.Context, c console, o options, asked rotation.Options) error {
	s, r, err := openRotator(ctx, c, o)
	if err != nil {
		return err
	}
	defer s.close()
	report, err := r.Run(ctx, asked)
	if report == nil {
		return err
	}
	printed := s.printReport(report, asked.DryRun)
	switch {
	case err != nil:
		return err
	case printed == nil && report.Attention:
		return errProblemsFound
	}
	return printed
}

// printReport prints what a rotation did that was not printed as it happened.
func (s *session) printReport(r *rotation.Report, dryRun bool) error {
	switch {
	case dryRun:
		return s.printDryRotation(r)
	case s.o.json:
		return s.printJSON(r)
	}
	if r.Keys != nil {
		s.printKeys(r.Keys, len(r.Failed) > 0)
	}
	for _, k := range r.Waiting {
		s.printWaiting(k)
	}
	s.notes(r.Reminders)
	return nil
}

// printDryRotation prints the plan of a dry run or, where nothing is due, when
// something will be.
func (s *session) printDryRotation(r *rotation.Report) error {
	p := plan.Plan{}
	if r.Plan != nil {
		p = *r.Plan
	}
	switch {
	case s.o.json:
		b, err := p.JSON()
		if err == nil {
			b, err = beside(b, "steps", r.Steps)
		}
		if err == nil {
			b, err = beside(b, "keys", r.Keys)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(s.c.out, string(b))
	case r.Plan == nil:
		s.printKeys(r.Keys, len(r.Failed) > 0)
	case r.Quiet: // all was said
	default:
		return s.showDry(p)
	}
	if s.o.exitCode && !p.Empty() {
		return errChangesFound
	}
	return nil
}

func (s *session) printWaiting(k rotation.WaitingKey) {
	if k.ByHand() {
		fmt.Fprintf(s.c.out, "%s: publish this record; a later run notices and goes on by itself\n\n%s TXT %s\n\n", k.Domain, k.Name, k.Value)
	}
	if why := k.String(); why != "" {
		s.c.say("%s", text.Wrap(text.Printable(why), 78))
	}
	s.c.hints([]string{"mailsetup dns --wait " + k.Domain + " shows what each name server has"})
}

// mailFailure mails why a run failed that nobody sits in front of.
func mailFailure(ctx context.Context, c console, o options, failed error) {
	if code, _ := exitCode(failed); errors.Is(failed, errProblemsFound) || code == exitInterrupted || os.Geteuid() != 0 {
		return
	}
	s := &session{c: c, o: o}
	s.Machine = machine.New(system.NewHost(system.Options{}), nil, s.machineOptions())
	if err := rotation.MailFailure(ctx, s.Sys, s.store(), s.Now, failed); err != nil {
		c.say("%s", message(err))
	}
}
