package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

func belowRoot() cli.Flag {
	return &cli.StringFlag{Name: "root", Usage: "the runs that wrote the tree below `DIR`"}
}

func historyCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "history",
		Usage: "list the runs that changed this machine",
		UsageText: "sudo mailsetup history\n" +
			"   one line a run: its ID, when, what, how it ended",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			s, err := openSession(ctx.Context, c, options{
				dryRun: true, json: ctx.Bool("json"), root: ctx.String("root"), now: time.Now, command: "history",
			})
			if err != nil {
				return err
			}
			defer s.close()
			return s.history()
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		belowRoot(),
	}})
}

// run is one line of history as data.
type historyRun struct {
	ID      string       `json:"id"`
	Started time.Time    `json:"started"`
	Command string       `json:"command"`
	Status  string       `json:"status"`
	Paths   []state.Path `json:"paths"`
}

func (s *session) history() error {
	entries, err := s.Journal.History()
	if err != nil {
		return err
	}
	if s.o.json {
		runs := make([]historyRun, 0, len(entries))
		for _, e := range entries {
			runs = append(runs, historyRun{e.ID, e.Started, e.Command, string(e.Status), e.Paths})
		}
		return s.printJSON(runs)
	}
	if len(entries) == 0 {
		fmt.Fprintf(s.c.out, "No run has changed this %s yet.\n", s.Kind())
	}
	for _, e := range entries {
		unit := "paths"
		if len(e.Paths) == 1 {
			unit = "path"
		}
		fmt.Fprintf(s.c.out, "%s  %s  %-13s  %s, %d %s\n",
			e.ID, e.Started.Format("2006-01-02 15:04"), e.Command, e.Status, len(e.Paths), unit)
	}
	return nil
}

func rollbackCommand(c console) *cli.Command {
	return helped(&cli.Command{
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
			o := howOptions(ctx)
			s, err := openSession(ctx.Context, c, o)
			if err != nil {
				return err
			}
			defer s.close()
			return s.rollback(ctx.Context, ctx.Args().First())
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the plan and stop"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.BoolFlag{Name: "accessible", Usage: "plain questions, for screen readers"},
		belowRoot(),
	}})
}

// rollback is a plan like any other: shown, confirmed, journaled, undone if it
// fails.
func (s *session) rollback(ctx context.Context, id string) error {
	entries, err := s.Journal.History()
	if err != nil {
		return err
	}
	runs, err := runsToUndo(entries, id)
	if err != nil {
		return err
	}
	p, err := apply.InverseAll(ctx, runs, s.Sys)
	if err != nil {
		return fail(goesFirst(entries, runs), "%w", err)
	}
	p = s.packagesStay(s.keepLedger(p))
	if err := s.vouched(ctx, p); err != nil {
		return err
	}
	if s.o.dryRun {
		return s.showDry(p)
	}
	if err := s.confirmed(ctx, p); err != nil {
		return err
	}
	defer s.c.hold()()
	report, err := apply.Run(ctx, s.Sys, p, s.Journal, s.ApplyOptions())
	if err := errors.Join(err, s.SaveOwners()); err != nil {
		return err
	}
	if s.o.json {
		return s.printResult(result{Changed: true, ID: report.ID, Paths: paths(p), Notes: p.Notes})
	}
	fmt.Fprintf(s.c.out, "\nTaken back: %s (%s).\n", cmp.Or(id, apply.FirstID(runs[0].ID)), runs[0].Command)
	s.notes(p.Notes)
	return nil
}

// packagesStay says what going back to the time before the first run leaves.
func (s *session) packagesStay(p plan.Plan) plan.Plan {
	first := false
	for _, st := range p.Stages {
		first = first || slices.ContainsFunc(st.Changes, func(c plan.Change) bool {
			return c.Path == spec.HostFile && c.Op == plan.Remove
		})
	}
	if first && s.exists(freshFile) {
		p.Notes = append(p.Notes, state.Note{
			Topic: "packages",
			Text:  "the packages stay that mailsetup installed; a mail server that Postfix replaced comes back with apt-get install",
		})
	}
	return p
}

// runsToUndo are the runs of the named command, or of the last one that is still
// in effect, oldest first. The name of a later run of a command is about that one
// alone.
func runsToUndo(entries []apply.Entry, id string) ([]apply.Entry, error) {
	done := slices.DeleteFunc(slices.Clone(entries), func(e apply.Entry) bool { return e.Status != apply.Done })
	if id == "" {
		if len(done) == 0 {
			return nil, usage("", "no run to take back")
		}
		id = apply.FirstID(done[len(done)-1].ID)
	}
	named := func(e apply.Entry) bool { return e.ID == id || apply.FirstID(e.ID) == id }
	switch runs := slices.DeleteFunc(done, func(e apply.Entry) bool { return !named(e) }); {
	case len(runs) > 0:
		return runs, nil
	case slices.ContainsFunc(entries, named):
		return nil, usage("mailsetup history lists the runs", "run %s was not completed: there is nothing to take back", id)
	}
	return nil, usage("mailsetup history lists the runs", "no run %q", id)
}

// goesFirst is the hint for a rollback that is refused since something changed
// after those runs: the later commands that changed the same, the last one first.
func goesFirst(entries, runs []apply.Entry) string {
	last := runs[len(runs)-1]
	var lines []string
	for _, e := range slices.Backward(entries) {
		if e.ID == last.ID {
			break
		}
		line := "mailsetup rollback " + apply.FirstID(e.ID)
		if e.Status == apply.Done && !slices.Contains(lines, line) && slices.ContainsFunc(e.Paths, func(p state.Path) bool {
			return p != plan.RecordPath && slices.ContainsFunc(runs, func(r apply.Entry) bool { return slices.Contains(r.Paths, p) })
		}) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "put those files back by hand"
	}
	return "what changed the same since goes first:\n" + strings.Join(lines, "\n")
}

// keepLedger keeps in the ledger what the run added to it, marked gone: a
// selector that the world may have cached is never used for another key.
func (s *session) keepLedger(p plan.Plan) plan.Plan {
	dir := keyring.File("x").Dir()
	now := map[state.Path][]keyring.Key{} // as the ledger stands before the rollback
	left := map[state.Path]state.Object{} // as the changes so far leave it
	lost := false
	for i := range p.Stages {
		for j := range p.Stages[i].Changes {
			c := &p.Stages[i].Changes[j]
			if c.Path.Dir() != dir {
				continue
			}
			if _, seen := now[c.Path]; !seen {
				now[c.Path], _ = keyring.ParseDomain(c.Before.Content)
				left[c.Path] = c.Before
			}
			c.Before = left[c.Path]
			lost = s.keepKeys(c, now[c.Path]) || lost
			left[c.Path] = c.After
		}
	}
	if lost {
		p = without(p, dir, dir.Dir())
		p.Notes = append(p.Notes, state.Note{
			Topic: "dkim",
			Text:  "mail that this server signed and that is still under way will no longer verify",
		})
	}
	return p
}

// keepKeys adds the keys that the change would make forgotten. It reports
// whether there are any.
func (s *session) keepKeys(c *plan.Change, now []keyring.Key) bool {
	var old []keyring.Key
	if c.After.Kind == state.Regular {
		var err error
		if old, err = keyring.ParseDomain(c.After.Content); err != nil {
			return false
		}
	}
	lost := slices.DeleteFunc(slices.Clone(now), func(k keyring.Key) bool {
		// An adopted key goes back to whom it was taken from, and goes on signing.
		return k.Adopted || slices.ContainsFunc(old, func(o keyring.Key) bool { return strings.EqualFold(o.Selector, k.Selector) })
	})
	if len(lost) == 0 {
		return false
	}
	if c.Op == plan.Remove {
		c.Op, c.After = plan.Modify, c.Before
	}
	c.After.Content = keyring.MarshalDomain(append(old, keyring.Withdrawn(lost, s.Now)...))
	c.Why = "the selector stays used: nobody may meet another key under it"
	return true
}

// without leaves the paths out of the plan.
func without(p plan.Plan, leave ...state.Path) plan.Plan {
	for i := range p.Stages {
		p.Stages[i].Changes = slices.DeleteFunc(p.Stages[i].Changes, func(c plan.Change) bool {
			return slices.Contains(leave, c.Path)
		})
	}
	return p
}

func recoverCommand(c console) *cli.Command {
	return helped(&cli.Command{
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
			s, err := openSession(ctx.Context, c, options{root: ctx.String("root"), now: time.Now, command: "recover"})
			if err != nil {
				return err
			}
			defer s.close()
			return s.recover(ctx.Context)
		},
	}, flagGroup{"Flags", []cli.Flag{belowRoot()}})
}

func (s *session) recover(ctx context.Context) error {
	open, err := s.Journal.Open()
	if err != nil {
		return err
	}
	if open == nil {
		fmt.Fprintln(s.c.out, "No interrupted run.")
		return nil
	}
	return s.Recover(ctx)
}
