// Package rollback turns runs of the journal into a plan that takes them back,
// and refuses one after which mail would no longer verify.
package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Checker queries every name server of a domain for records. A nil one queries none,
// since nothing signs below --root.
type Checker func(context.Context, dnscheck.Expected) dnscheck.Result

// NameServers returns the Checker for a machine: nil for a directory.
func NameServers(m *machine.Machine) Checker {
	if m.Image != nil {
		return nil
	}
	client := m.Resolver.WithCache()
	return func(ctx context.Context, want dnscheck.Expected) dnscheck.Result {
		return dnscheck.Check(ctx, client, want, dnscheck.Result{})
	}
}

// Rollback is the plan that takes back the runs of one command.
type Rollback struct {
	ID      string // of the command's first run
	Command string
	Plan    plan.Plan

	runs []string // that it takes back
}

// Make plans the rollback of the runs of the command whose first run has the ID, or of
// the last command still in effect if it is "". The ID of a later run rolls back that
// run alone. The ledger keeps the keys that the runs added, as gone.
func Make(ctx context.Context, m *machine.Machine, id string, look Checker) (Rollback, error) {
	entries, err := m.Journal.History()
	if err != nil {
		return Rollback{}, err
	}
	runs, err := find(entries, id)
	if err != nil {
		return Rollback{}, err
	}
	p, err := apply.InverseAll(ctx, runs, m.Sys)
	if err != nil {
		return Rollback{}, hint.New(laterRuns(entries, runs), "%w", err)
	}
	p = keepLedger(p, m.Now)
	if packagesStay(m.Sys, p) {
		p.Notes = append(p.Notes, state.Note{
			Topic: "packages",
			Text:  "the packages stay that mailsetup installed; a mail server that Postfix replaced comes back with apt-get install",
		})
	}
	if err := checkStillPublished(ctx, p, look); err != nil {
		return Rollback{}, err
	}
	byHand, err := byHandNotes(m.Sys, p)
	if err != nil {
		return Rollback{}, err
	}
	p.Notes = append(p.Notes, byHand...)
	if id == "" {
		id = apply.FirstID(runs[0].ID)
	}
	r := Rollback{ID: id, Command: runs[0].Command, Plan: p}
	for _, e := range runs {
		r.runs = append(r.runs, e.ID)
	}
	return r, nil
}

// PutBack returns the run that was interrupted and that opening the machine has put back,
// or would but for a dry run, where that is all that was asked for: rollback without an ID,
// or with its own. It returns "" if a rollback has to go on.
func PutBack(m *machine.Machine, id string) (run, said string) {
	e, word := m.Recovered(), "was"
	if m.DryRun() {
		var busy error
		if e, busy = m.OpenRun(); busy != nil {
			return "", ""
		}
		word = "would be"
	}
	if e == nil || id != "" && id != e.ID {
		return "", ""
	}
	return e.ID, fmt.Sprintf("The interrupted run %s (%s) %s put back; nothing else %[3]s taken back.", e.ID, text.Printable(e.Command), word)
}

// Apply applies the plan in a run of its own, which can be rolled back, too.
func (r Rollback) Apply(ctx context.Context, m *machine.Machine) (apply.Report, error) {
	o := m.ApplyOptions()
	o.TakesBack = r.runs
	report, err := provision.Apply(ctx, m, r.Plan, o)
	return report, errors.Join(err, m.SaveOwners())
}

// find returns the runs of a command that are in effect, oldest first.
func find(entries []apply.Entry, id string) ([]apply.Entry, error) {
	done := slices.DeleteFunc(slices.Clone(entries), func(e apply.Entry) bool { return e.Status != apply.Done })
	if id == "" {
		if len(done) == 0 {
			return nil, hint.NewUsage("", "no run to take back")
		}
		id = apply.FirstID(done[len(done)-1].ID)
	}
	named := func(e apply.Entry) bool { return e.ID == id || apply.FirstID(e.ID) == id }
	by := ""
	runs := slices.DeleteFunc(done, func(e apply.Entry) bool {
		word, r := stateOf(entries, e)
		if named(e) && r != "" {
			by = r
		}
		return !named(e) || word == rolledBack
	})
	switch {
	case len(runs) > 0:
		return runs, nil
	case by != "":
		return nil, hint.NewUsage("mailsetup rollback "+by+" does it again", "run %s was rolled back already, by %s", id, by)
	case slices.ContainsFunc(entries, named):
		return nil, hint.NewUsage("mailsetup history lists the runs", "run %s was not completed: there is nothing to take back", id)
	}
	return nil, hint.NewUsage("mailsetup history lists the runs", "no run %q", id)
}

// laterRuns returns the hint for runs whose paths were changed since: the rollbacks of
// later commands that changed the same paths, the last command first.
func laterRuns(entries, runs []apply.Entry) string {
	last := runs[len(runs)-1]
	var lines []string
	for _, e := range slices.Backward(entries) {
		if e.ID == last.ID {
			break
		}
		line := "mailsetup rollback " + apply.FirstID(e.ID)
		if withoutEffect(entries, e, last) {
			continue
		}
		if e.Status == apply.Done && !slices.Contains(lines, line) && sharePath(e, runs) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "put those files back by hand"
	}
	return "what changed the same since goes first:\n" + strings.Join(lines, "\n")
}

// withoutEffect reports whether a run was rolled back, or does no more than roll back what
// came after an earlier one.
func withoutEffect(entries []apply.Entry, e, earlier apply.Entry) bool {
	after := func(id string) bool {
		at := func(id string) int { return slices.IndexFunc(entries, func(o apply.Entry) bool { return o.ID == id }) }
		return at(id) > at(earlier.ID)
	}
	word, _ := stateOf(entries, e)
	return word == rolledBack || len(e.TakesBack) > 0 && !slices.ContainsFunc(e.TakesBack, func(id string) bool { return !after(id) })
}

// sharePath reports whether a run changed a path that one of the others changed. Every
// run changes the file of hashes, so that does not count.
func sharePath(e apply.Entry, runs []apply.Entry) bool {
	return slices.ContainsFunc(e.Paths, func(p state.Path) bool {
		return p != plan.HashesFile && slices.ContainsFunc(runs, func(r apply.Entry) bool { return slices.Contains(r.Paths, p) })
	})
}

// packagesStay reports whether the plan rolls back the first run, and that run
// installed Postfix.
func packagesStay(files system.Reader, p plan.Plan) bool {
	first := slices.ContainsFunc(p.Stages, func(st plan.StageChanges) bool {
		return slices.ContainsFunc(st.Changes, func(c plan.Change) bool { return c.Path == spec.HostFile && c.Op == plan.Remove })
	})
	if !first {
		return false
	}
	o, err := files.Read(freshPostfixFile)
	return err == nil && o.Kind != state.Absent
}

// freshPostfixFile exists on machines on which mailsetup installed Postfix.
const freshPostfixFile = state.FreshPostfixFile
