package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// options are the flags that say how to work, not what is wanted.
type options struct {
	yes, dryRun, exitCode, json bool
	install                     bool
	overwriteDrift, accessible  bool
	verbose                     bool
	root                        string
	consents                    map[state.QuestionKind]bool // given or refused by flags
	rootKeys                    bool
	command                     string
}

// answerFlags are the questions of the wizard, one flag each.
func answerFlags() []cli.Flag {
	text := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Usage: usage} }
	list := func(name, usage string) cli.Flag { return &cli.StringSliceFlag{Name: name, Usage: usage} }
	return []cli.Flag{
		text("domain", "the `DOMAIN` in your mail addresses, example.org"),
		text("hostname", "this server's `NAME` in DNS, mail.example.org (default: the machine's own)"),
		list("ip", "public `ADDRESS` of this server, v4 or v6; repeat for more (default: the A and AAAA of its name)"),
		text("selector", "`NAME` of the DKIM key (default: year and month, as in 202611)"),
		text("key-bits", "`BITS` of the RSA key: 1024 (if DNS takes no more), 2048, 3072 or 4096 (default: 2048)"),
		text("dns", "`WHERE` records go: bind (this machine's BIND), rfc2136 (dynamic updates to any primary), hook (a program), slots (CNAMEs that you paste once), delegate (keys to this BIND, by one NS record) or manual (printed for you) (default: what is found)"),
		text("rfc2136-server", "`NAME` or address of the primary that takes updates (default: the one that the zone names)"),
		text("rfc2136-key", "`FILE` with the TSIG key that signs updates, as tsig-keygen writes it"),
		text("dns-hook", "`PROGRAM` that changes the records at your provider, an absolute path"),
		text("slot-zone", "`NAME` of the zone here in which the keys of slots stand (default: dkim. below the first zone here)"),
		text("slots", "`NUMBER` of slots, each with a CNAME at the domain, 3 to 12 (default: 3)"),
		&cli.BoolFlag{Name: "dns-new-zone", Usage: "make the zone in BIND if it is not served here; needs --ns"},
		list("ns", "`NAME` of a name server of the new zone; repeat for more"),
		list("keep-selector", "with --dns delegate: `NAME` of another sender's key; repeat for more"),
		text("ttl", "`SECONDS` that others may keep the records (default: 3600)"),
		text("receive", "`ANSWER`, yes or no: does this server receive the domain's mail (default: from the live MX; without one, for a further domain, whether Postfix takes it)"),
		text("root-alias", "`ADDRESS` that reads root's and postmaster's mail and the reports; one that nobody has is refused"),
		&cli.BoolFlag{Name: "subdomains", Usage: "sign mail of everything below the domain, too"},
		text("spf-all", "`RESULT` for mail from other senders: softfail, fail or neutral (default: softfail)"),
		list("spf-include", "`DOMAIN` of a third party that sends for you; repeat for more"),
		&cli.BoolFlag{Name: "spf-redirect", Usage: "let the SPF record of the host's first domain decide for this one"},
		text("dmarc", "the `POLICY` for forgeries: none, quarantine or reject (default: none)"),
		text("dmarc-sp", "the `POLICY` for subdomains: none, quarantine or reject (default: the same)"),
		text("adkim", "DKIM `ALIGNMENT`: relaxed or strict (default: relaxed)"),
		text("aspf", "SPF `ALIGNMENT`: relaxed or strict (default: relaxed)"),
		list("rua", "mailto: `URI` for daily reports; repeat for more"),
		list("ruf", "mailto: `URI` for reports on single messages; repeat for more"),
		text("notify", "`ADDRESS` that is mailed records to publish later and why a rotation failed (default: nobody)"),
		text("mta", "the `SERVER` that sends and signs: postfix or exim4 (default: exim4 where it is what is here, else postfix)"),
		&cli.BoolFlag{Name: "send-only", Usage: "accept nothing from outside, and publish no MX; needs --root-alias"},
		text("milter-default-action", "`ACTION` while the signer is down: tempfail (mail waits) or accept (it leaves unsigned) (default: tempfail)"),
	}
}

// verboseFlag is for those who want to read a plan before it is carried out.
func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Usage: "show the whole plan, with every difference"}
}

// modeFlags say how to work.
func modeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "install", Usage: "install missing packages (the default)", Value: true},
		&cli.BoolFlag{Name: "no-install", Usage: "a missing package is an error", Action: notBoth},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the plan and stop"},
		&cli.BoolFlag{Name: "exit-code", Usage: "with --dry-run: exit 3 if there is something to do"},
		&cli.StringFlag{Name: "root", Usage: "write the tree below `DIR` and do not touch the machine"},
		&cli.BoolFlag{Name: "root-keys", Usage: "with --root: make keys too (clones of an image must not share them)"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		verboseFlag(),
		&cli.BoolFlag{Name: "accessible", Usage: "plain questions, one a line, for screen readers"},
		&cli.BoolFlag{Name: "overwrite-drift", Usage: "overwrite files of mailsetup, and lines of its own in others, that were edited by hand"},
	}
}

// notBoth refuses --no-install beside --install.
func notBoth(ctx *cli.Context, forbidden bool) error {
	if forbidden && ctx.IsSet("install") && ctx.Bool("install") {
		return usage("leave one of them out", "--install and --no-install do not go together")
	}
	return nil
}

func answers(ctx *cli.Context) spec.Answers {
	a := spec.Answers{
		Domain: ctx.String("domain"), Hostname: ctx.String("hostname"), Addresses: ctx.StringSlice("ip"),
		Selector: ctx.String("selector"), KeyBits: ctx.String("key-bits"), DNS: ctx.String("dns"),
		NS: ctx.StringSlice("ns"), KeepSelectors: ctx.StringSlice("keep-selector"), TTL: ctx.String("ttl"), Receive: ctx.String("receive"),
		RootAlias: ctx.String("root-alias"), Notify: ctx.String("notify"), SPFAll: ctx.String("spf-all"), SPFInclude: ctx.StringSlice("spf-include"),
		DMARC: ctx.String("dmarc"), DMARCSP: ctx.String("dmarc-sp"), ADKIM: ctx.String("adkim"), ASPF: ctx.String("aspf"),
		RUA: ctx.StringSlice("rua"), RUF: ctx.StringSlice("ruf"), MTA: ctx.String("mta"), MilterDefaultAction: ctx.String("milter-default-action"),
		ExistingRecords: ctx.String("existing-records"), ServiceMilters: ctx.String("service-milters"),
		SignBounces: ctx.String("sign-bounces"), WildcardRecords: ctx.String("wildcard-records"), OtherSigner: ctx.String("other-signer"), UpdateServer: ctx.String("rfc2136-server"), UpdateKey: ctx.String("rfc2136-key"), Hook: ctx.String("dns-hook"), SlotZone: ctx.String("slot-zone"), Slots: ctx.String("slots"),
	}
	inboundAnswers(ctx, &a)
	for flag, answer := range map[string]*string{
		"dns-new-zone": &a.NewZone, "subdomains": &a.Subdomains, "spf-redirect": &a.SPFRedirect, "send-only": &a.SendOnly,
	} {
		if ctx.IsSet(flag) {
			*answer = map[bool]string{true: "yes", false: "no"}[ctx.Bool(flag)]
		}
	}
	return a
}

func modeOptions(ctx *cli.Context) options {
	return options{
		yes: ctx.Bool("yes"), dryRun: ctx.Bool("dry-run"), exitCode: ctx.Bool("exit-code"), json: ctx.Bool("json"),
		install:        ctx.Bool("install") && !ctx.Bool("no-install"),
		overwriteDrift: ctx.Bool("overwrite-drift"), accessible: ctx.Bool("accessible"), verbose: ctx.Bool("verbose"),
		root: ctx.String("root"), rootKeys: ctx.Bool("root-keys"),
		consents: consentsGiven(ctx), command: ctx.Command.Name,
	}
}

// domainFlags are the questions of init that are about a domain.
func domainFlags() []cli.Flag {
	return except(answerFlags(), "domain", "hostname", "ip", "root-alias", "notify", "mta", "send-only", "milter-default-action")
}

func only(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

func except(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return slices.Contains(names, f.Names()[0]) })
}

// refuseEmpty refuses flags without a text, as a variable that is not set leaves them.
func refuseEmpty(ctx *cli.Context, flags ...string) error {
	if i := slices.IndexFunc(flags, func(name string) bool { return ctx.IsSet(name) && ctx.String(name) == "" }); i >= 0 {
		return usage("give it a value, or leave it out", "--%s is empty", flags[i])
	}
	return nil
}

// checkFlags finds what is wrong with the flags before anything is looked at.
func checkFlags(a spec.Answers, o options) error {
	if o.exitCode && !o.dryRun {
		return usage("add --dry-run", "--exit-code goes with --dry-run")
	}
	if o.rootKeys && o.root == "" {
		return usage("add --root DIR", "--root-keys goes with --root")
	}
	return a.Check().Err()
}

// modeFlags returns the flags that decide how a run goes about it and what its plan is.
func (o options) modeFlags() []string {
	var flags []string
	if o.overwriteDrift {
		flags = append(flags, "--overwrite-drift")
	}
	if !o.install {
		flags = append(flags, "--no-install")
	}
	return flags
}

// refuseEmptyRoot refuses --root "", which a script with a variable that is not set
// says: it would work on the machine itself.
func refuseEmptyRoot(ctx *cli.Context) error {
	if ctx.IsSet("root") && ctx.String("root") == "" {
		return usage("name the directory, or leave --root out to work on this machine", "--root is empty")
	}
	return nil
}
