package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

func initCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "init",
		Usage: "set up signed, verified mail for a domain on this server",
		UsageText: "sudo mailsetup init\n" +
			"   asks a few questions, shows what will change, and does it after your yes\n\n" +
			"mailsetup init --domain example.org --ip 192.0.2.10 --dry-run\n" +
			"   shows the plan for that domain and changes nothing",
		Description: "Safe to run again: what you answered before stays, new answers change it.\n" +
			"Not offered: ADSP (RFC 5617 is historic, nobody reads it) and the DMARC tags\n" +
			"pct, rf and ri (RFC 9989 removed them).",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := cmp.Or(noArguments(ctx), refuseEmpty(ctx, "inbound-spf", "inbound-dmarc")); err != nil {
				return err
			}
			return runSetup(ctx.Context, c, answers(ctx), modeOptions(ctx), func(*propose.Proposer) {})
		},
	}, flagGroup{"What you want", answerFlags()}, flagGroup{"What incoming mail meets", inboundFlags("inbound-")[:3]}, flagGroup{"What may change that is yours", consentFlags()}, flagGroup{"How to go about it", modeFlags()})
}

// runSetup works out what is to be done and does it. Prepare says how, where that is not
// as init does it.
func runSetup(ctx context.Context, c console.Console, a spec.Answers, o options, prepare func(*propose.Proposer)) error {
	if err := checkFlags(a, o); err != nil {
		return err
	}
	u := ui{c, o}
	p, err := openProvisioner(ctx, u, func(h spec.Host) []string {
		domain, err := syntax.DomainName(a.Domain)
		if err != nil {
			domain = a.Domain // which is an error that is told later
		}
		return []string{h.Domain, h.Hostname, domain}
	})
	if err != nil {
		return err
	}
	defer p.Close()
	proposer := proposer(u, p)
	prepare(proposer)
	r, err := proposer.Init(ctx, a)
	if errors.Is(err, propose.ErrAlreadyManaged) {
		return printNothingToDo(u, err.Error())
	}
	if err != nil {
		return err
	}
	return carryOutProposal(ctx, u, p, r, a.Selector)
}
