package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/plan"
	"mailsetup/internal/rotation"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

func statusCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "status",
		Usage: "show each key, what it waits for, and when its next step is due",
		UsageText: "sudo mailsetup status\n" +
			"   a line for each key of each domain that is not gone\n\n" +
			"sudo mailsetup status example.org --json\n" +
			"   the same about one domain, as data",
		Description: "STATE is one of publishing, published, active (it signs), draining, revoked;\n" +
			"unusable (it should sign, and OpenDKIM cannot with its file);\n" +
			"unused (no longer in OpenDKIM's tables: the file of its domain is gone); or\n" +
			"not in DNS for a key whose record no name server had in the last look of\n" +
			"rotate-dkim.\n" +
			"A key WAITS FOR its age (rotate_every), its successor, its file (that of its\n" +
			"domain in /etc/mailsetup/domains.d), the name servers (to have its record),\n" +
			"caches (to forget that there was none), mail under way (that it signed), late\n" +
			"mail (that is told that it is revoked), or nothing (never).\n" +
			"NEXT STEP is the earliest time; a machine that is off delays it. Nothing is\n" +
			"asked of DNS: mailsetup dns --wait shows what name servers have.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o := options{dryRun: true, json: ctx.Bool("json"), command: "status"}
			r := rotation.Options{Domains: ctx.Args().Slice()}
			if err := r.Normalize(""); err != nil {
				return err
			}
			return runStatus(ctx.Context, c, o, r.Domains)
		},
	}, flagGroup{"Flags", []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print data"}}})
}

func runStatus(ctx context.Context, c console.Console, o options, domains []string) error {
	r, done, err := openRotator(ctx, c, o)
	if err != nil {
		return err
	}
	defer done()
	st, err := r.Status(domains)
	if err != nil {
		return err
	}
	notes := func(list []state.Note) {
		for _, n := range plan.LimitPerTopic(list, maxNotesPerTopic) {
			c.Say("%s", text.Wrap(n.Text, 78))
			c.Hints([]string{n.Action})
		}
	}
	if len(domains) == 0 {
		notes(r.ScheduleProblems(ctx))
	}
	notes(st.Problems) // what is wrong comes first
	u := ui{c, o}
	if o.json {
		return u.print(st.Document())
	}
	for i, d := range st.Domains {
		if i == maxNotesPerTopic {
			c.Say("and %s more with a problem: mailsetup list has them first", text.Count(len(st.Domains)-i, "domain"))
			break
		}
		for _, line := range d.Lines() {
			c.Say("%s", text.Wrap(line, 78))
		}
	}
	printKeys(u, st.Keys, st.Now, false)
	notes(st.Notes)
	return nil
}

// printKeys prints a line for each key. Of domains that were skipped the reason
// was said.
func printKeys(u ui, keys []rotation.KeyStatus, now time.Time, skipped bool) {
	if len(keys) == 0 && !skipped {
		fmt.Fprintln(u.c.Out, "No keys.")
	}
	fmt.Fprint(u.c.Out, rotation.Table(keys, now))
}
