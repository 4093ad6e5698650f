package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/inventory"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

func dnsCommand(c console) *cli.Command {
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

func runDNS(ctx context.Context, c console, o dnsRun) error {
	s, err := openSession(ctx, c, o.options)
	if err != nil {
		return err
	}
	defer s.close()
	sp, err := s.storedSpec()
	if err != nil {
		return err
	}
	if sp == nil {
		return usage("mailsetup init", "no domain is set up on this %s", s.Kind())
	}
	domains, err := inventory.Choose(*sp, o.domains)
	if err != nil {
		return err
	}
	in, err := s.collector().RecordsInput(ctx, facts.Request{Spec: *sp, Ledger: s.keys}, domains, s.c.say)
	if err != nil {
		return err
	}
	s.keysUnknown(domains)
	if o.wait {
		return s.waitForDNS(ctx, in, domains, o.timeout)
	}
	return s.printDNS(ctx, in, domains, o.form)
}

// keysUnknown says why there are domains without a DKIM record.
func (s *session) keysUnknown(domains []spec.Domain) {
	without := namesIn(slices.DeleteFunc(slices.Clone(domains), func(d spec.Domain) bool { return len(s.keys[d.Name]) > 0 || d.SignedBy != "" }))
	switch {
	case len(without) == 0:
	case s.Image == nil && os.Geteuid() != 0:
		s.c.say("the keys are known to root only: DKIM records are left out")
		s.c.hints([]string{hint.AsRoot})
	default:
		s.c.say("no key yet, so no DKIM record: %s", text.List(without, domainsShown))
		s.c.hints([]string{"mailsetup init makes it; in a directory, with --root-keys"})
	}
}

// domainsShown is how many names a line has room for.
const domainsShown = 5

func namesIn(domains []spec.Domain) []string {
	var names []string
	for _, d := range domains {
		names = append(names, d.Name)
	}
	return names
}

// about prints what is to be known of the records.
func (s *session) about(notes []state.Note) {
	for _, n := range notes {
		s.c.say("%s", strings.ReplaceAll(text.Wrap(n.Topic+": "+n.Text, 76), "\n", "\n  "))
		if n.Action != "" && !strings.Contains(n.Action, "\n") {
			s.c.say("  %s", n.Action)
		}
	}
}
