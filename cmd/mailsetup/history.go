package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/console"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/rollback"
	"mailsetup/internal/text"
)

func rootFlag() cli.Flag {
	return &cli.StringFlag{Name: "root", Usage: "the runs that wrote the tree below `DIR`"}
}

func historyCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "history",
		Usage: "list the runs that changed this machine, or show one",
		UsageText: "sudo mailsetup history\n" +
			"   one line a run, the newest first: its ID, when, what, how it ended\n\n" +
			"sudo mailsetup history 20261122T101500-abcd\n" +
			"   what that run changed, what was said, and how to take it back",
		Description: "STATE is done, undone for a run that failed and was taken back at once, rolled\n" +
			"back for one that a later run took back, or open for one that was killed and\n" +
			"that mailsetup recover takes back.",
		ArgsUsage:    "[RUN]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() > 1 {
				return usage("mailsetup history lists the runs", "history shows one run at a time")
			}
			return runHistory(ctx.Context, ui{c, options{
				dryRun: true, json: ctx.Bool("json"), root: ctx.String("root"), command: "history",
			}}, ctx.Args().First())
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		rootFlag(),
	}})
}

func runHistory(ctx context.Context, u ui, id string) error {
	m, err := machine.Open(ctx, u.machine())
	if err != nil {
		return err
	}
	defer m.Close()
	if id != "" {
		return describeRuns(ctx, u, m, id)
	}
	entries, err := m.Journal.History()
	if err != nil {
		return err
	}
	if u.o.json {
		return u.print(rollback.History(entries))
	}
	if len(entries) == 0 {
		fmt.Fprintf(u.c.Out, "No run has changed this %s yet.\n", m.Kind())
	} else {
		fmt.Fprint(u.c.Out, rollback.Table(entries))
	}
	return nil
}

// describeRuns prints the runs of one command.
func describeRuns(ctx context.Context, u ui, m *machine.Machine, id string) error {
	runs, err := rollback.Describe(ctx, m, id)
	if err != nil {
		return err
	}
	if u.o.json {
		return u.print(rollback.Runs(runs))
	}
	for _, r := range runs {
		fmt.Fprintln(u.c.Out, r.Text())
	}
	lines := u.c.Typed().Lines(runs[len(runs)-1].Hints)
	fmt.Fprint(u.c.Out, "To take it back\n"+text.Indent(text.First(lines, len(lines), ""), 2))
	return nil
}

func rollbackCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "rollback",
		Usage: "put back what the last command changed, or an earlier one",
		UsageText: "sudo mailsetup rollback\n" +
			"   shows how the last command is taken back, and does it after your yes\n\n" +
			"sudo mailsetup rollback 20261122T101500-abcd --dry-run\n" +
			"   shows it for an earlier one and changes nothing",
		Description: "Bytes, owners, modes and what the daemons run with. Packages stay; a zone goes\n" +
			"back under a higher serial, or its secondaries would never hear of it.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() > 1 {
				return usage("mailsetup history lists the runs", "rollback takes one run at a time")
			}
			return runRollback(ctx.Context, ui{c, modeOptions(ctx)}, ctx.Args().First())
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the plan and stop"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		verboseFlag(),
		&cli.BoolFlag{Name: "accessible", Usage: "plain questions, for screen readers"},
		rootFlag(),
	}})
}

// runRollback carries out a plan like any other: shown, confirmed, journaled, undone
// if it fails.
func runRollback(ctx context.Context, u ui, id string) error {
	m, err := machine.Open(ctx, u.machine())
	if err != nil {
		return err
	}
	defer m.Close()
	if run, said := rollback.PutBack(m, id); run != "" {
		if u.o.json {
			if u.o.dryRun {
				return u.print(jsondoc.Plan{Pending: true})
			}
			return u.print(jsondoc.Result{Changed: true, Run: jsondoc.Changed(run, nil)})
		}
		fmt.Fprintln(u.c.Out, said)
		return nil
	}
	r, err := rollback.Make(ctx, m, id, rollback.NameServers(m))
	if err != nil {
		return err
	}
	if !u.o.json {
		u.c.Say("This takes back %s (%s).", r.ID, r.Command)
	}
	if u.o.dryRun {
		return showDry(u, r.Plan)
	}
	if err := (&provision.Provisioner{UI: u.person()}).Confirm(ctx, &provision.Draft{Plan: r.Plan}); err != nil {
		return err
	}
	defer u.c.Hold()()
	report, err := r.Apply(ctx, m)
	if err != nil {
		return err
	}
	if u.o.json {
		return u.print(jsondoc.Result{Changed: true, Run: jsondoc.Changed(report.ID, r.Plan.Paths()), Notes: jsondoc.Notes(r.Plan.Notes)})
	}
	fmt.Fprintf(u.c.Out, "\nTaken back: %s (%s).\n", r.ID, r.Command)
	printNotes(u, r.Plan.Notes)
	return nil
}

func recoverCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "recover",
		Usage: "put the machine back after a run that was killed",
		UsageText: "sudo mailsetup recover\n" +
			"   takes an interrupted run back; says so if there was none\n" +
			"   (the next init does the same by itself)",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			return runRecover(ctx.Context, ui{c, options{json: ctx.Bool("json"), root: ctx.String("root"), command: "recover"}})
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "taken, for scripts: nothing is asked"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		rootFlag(),
	}})
}

func runRecover(ctx context.Context, u ui) error {
	m, err := machine.Open(ctx, u.machine())
	if err != nil {
		return err
	}
	defer m.Close()
	switch run := m.Recovered(); {
	case u.o.json && run != nil:
		return u.print(jsondoc.Result{Changed: true, Run: jsondoc.Changed(run.ID, run.Paths)})
	case u.o.json:
		return u.print(jsondoc.Result{Changed: m.Waited() != ""})
	case run == nil && m.Waited() == "":
		fmt.Fprintln(u.c.Out, "No interrupted run.")
	}
	return nil
}
