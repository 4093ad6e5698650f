package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

func addCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:      "add-domain",
		Usage:     "sign mail of further domains on a server that is set up",
		ArgsUsage: "DOMAIN...",
		UsageText: "sudo mailsetup add-domain shop.example blog.example\n" +
			"   shows what both need, and does it after your yes, with one reload\n\n" +
			"sudo mailsetup add-domain --from-file domains.txt --yes\n" +
			"   adds all that the file lists; those that are there already stay as they are",
		Description: "Each domain gets a file in /etc/mailsetup/domains.d, a key of its own, its\n" +
			"rows in OpenDKIM's tables, and its records. What nobody says by a flag is taken\n" +
			"from what the domain has already (its MX, SPF and DMARC records, its zone in\n" +
			"the BIND of this machine) and then from /etc/mailsetup/host.toml (dns,\n" +
			"selector, key_bits, ttl, [spf], [dmarc]). Other domains are not looked at.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			a, o := answers(ctx), modeOptions(ctx)
			if err := checkFurther(a, o, ctx.String("from-file")); err != nil {
				return err
			}
			names, err := givenDomains(c, ctx)
			if err != nil {
				return err
			}
			return runAdd(ctx.Context, c, names, a, o, ctx.Bool("strict"))
		},
	}, flagGroup{"Which domains", []cli.Flag{
		fromFileFlag(),
		&cli.BoolFlag{Name: "strict", Usage: "a domain that is there already is an error"},
	}}, flagGroup{"What you want, for each of them", domainFlags()},
		flagGroup{"What may change that is yours", consentFlags()},
		flagGroup{"How to go about it", modeFlags()})
}

// checkFurther finds what is wrong with the flags before anything is read.
func checkFurther(a spec.Answers, o options, list string) error {
	if err := checkFlags(a, o); err != nil {
		return err
	}
	if err := checkHow(o, list); err != nil {
		return err
	}
	if a.NewZone == "yes" && len(a.NS) == 0 {
		return usage("add --ns NAME, the name server of the new zones", "--dns-new-zone needs --ns")
	}
	return nil
}

// checkHow finds flags that do not go together.
func checkHow(o options, list string) error {
	if o.exitCode && !o.dryRun {
		return usage("add --dry-run", "--exit-code goes with --dry-run")
	}
	if list == "-" && !o.yes && !o.dryRun && o.root == "" {
		return usage("add --yes, or --dry-run to see the plan", "with the domains on stdin nobody can be asked there")
	}
	return nil
}

// runAdd is the command as a table of contents.
func runAdd(ctx context.Context, c console.Console, names []string, a spec.Answers, o options, strict bool) error {
	u := ui{c, o}
	p, err := openProvisioner(ctx, u, func(spec.Host) []string { return slices.Clone(names) })
	if err != nil {
		return err
	}
	defer p.Close()
	old, err := p.SetUp()
	if err != nil {
		return err
	}
	names, there := propose.NewDomains(old, names)
	switch {
	case strict && len(there) > 0:
		return usage("leave --strict out to add the others", "there already: %s", text.List(there, 10))
	case len(there) > 0:
		c.Say("%s", text.Wrap("there already, and left as it is: "+text.List(there, 10), 78))
	}
	if len(names) == 0 {
		return printNothingToDo(u, "all of these domains are there already")
	}
	r, err := proposer(u, p).AddDomains(ctx, names, a)
	if err != nil {
		return err
	}
	return carryOutProposal(ctx, u, p, r, "")
}

// printNothingToDo is the end of a run that was asked for what is so already.
func printNothingToDo(u ui, why string) error {
	if u.o.json {
		return u.print(jsondoc.Result{})
	}
	fmt.Fprintf(u.c.Out, "Nothing to do: %s.\n", why)
	return nil
}
