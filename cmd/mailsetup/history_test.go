package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

func ledger(keys ...keyring.Key) state.Object {
	return state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: keyring.MarshalDomain(keys)}
}

func key(selector string, stage keyring.Stage) keyring.Key {
	return keyring.Key{Selector: selector, Bits: 2048, Stage: stage, Since: map[keyring.Stage]time.Time{stage: november}}
}

// kept runs keepLedger over changes of one ledger and returns the plan and the
// keys in the end.
func kept(t *testing.T, changes ...plan.Change) (plan.Plan, map[string]keyring.Stage) {
	t.Helper()
	for i := range changes {
		changes[i].Path = keyring.File("lab.example")
		changes[i].Op = plan.OpOf(changes[i].Before, changes[i].After)
	}
	dir := keyring.File("x").Dir()
	p := plan.Plan{Stages: []plan.StageChanges{
		{Name: "Keys", Changes: changes},
		{Name: "Directories", Changes: []plan.Change{{Op: plan.Remove, Path: dir}, {Op: plan.Remove, Path: "/etc/opendkim"}}},
	}}
	p = newSession(state.Facts{}).keepLedger(p)
	for i := 1; i < len(changes); i++ {
		got := p.Stages[0].Changes
		if string(got[i].Before.Content) != string(got[i-1].After.Content) {
			t.Errorf("change %d does not begin where the one before it ends", i)
		}
	}
	last := p.Stages[0].Changes[len(changes)-1].After
	if last.Kind == state.Absent {
		return p, nil
	}
	keys, err := keyring.ParseDomain(last.Content)
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]keyring.Stage{}
	for _, k := range keys {
		stages[k.Selector] = k.Stage
	}
	return p, stages
}

func removes(p plan.Plan, path state.Path) bool {
	return slices.ContainsFunc(p.Stages[1].Changes, func(c plan.Change) bool { return c.Path == path })
}

// The ledger that the run made stays, its key gone; so does its directory.
func TestKeepLedgerOfAFirstRun(t *testing.T) {
	p, stages := kept(t,
		plan.Change{Before: ledger(key("s1", keyring.Active)), After: ledger(key("s1", keyring.Publishing))},
		plan.Change{Before: ledger(key("s1", keyring.Publishing))},
	)
	if len(stages) != 1 || stages["s1"] != keyring.Gone {
		t.Errorf("%v, want s1 gone", stages)
	}
	if removes(p, keyring.File("x").Dir()) || !removes(p, "/etc/opendkim") {
		t.Error("the ledger's directory must stay, and no other")
	}
	if len(p.Notes) != 1 {
		t.Errorf("notes %v, want one on mail under way", p.Notes)
	}
}

// A key that the run added to others goes alone.
func TestKeepLedgerOfALaterRun(t *testing.T) {
	before := ledger(key("s1", keyring.Draining), key("s2", keyring.Active))
	p, stages := kept(t, plan.Change{Before: before, After: ledger(key("s1", keyring.Active))})
	if len(stages) != 2 || stages["s1"] != keyring.Active || stages["s2"] != keyring.Gone {
		t.Errorf("%v, want s1 active and s2 gone", stages)
	}
	if p.Stages[0].Changes[0].Op != plan.Modify {
		t.Errorf("op %s", p.Stages[0].Changes[0].Op)
	}
}

// In several steps, too, each begins where the one before it ended.
func TestKeepLedgerInSteps(t *testing.T) {
	_, stages := kept(t,
		plan.Change{Before: ledger(key("s1", keyring.Draining), key("s2", keyring.Active)), After: ledger(key("s1", keyring.Active))},
		plan.Change{Before: ledger(key("s1", keyring.Active)), After: ledger()},
	)
	if len(stages) != 2 || stages["s1"] != keyring.Gone || stages["s2"] != keyring.Gone {
		t.Errorf("%v, want both gone", stages)
	}
}

// Where no key gets lost nothing is added, and an empty ledger may go.
func TestKeepLedgerLeavesTheRestAlone(t *testing.T) {
	p, stages := kept(t, plan.Change{Before: ledger(key("s1", keyring.Active)), After: ledger(key("s1", keyring.Publishing))})
	if len(stages) != 1 || stages["s1"] != keyring.Publishing || len(p.Notes) != 0 {
		t.Errorf("%v, notes %v", stages, p.Notes)
	}
	p, stages = kept(t, plan.Change{Before: ledger()})
	if stages != nil || !removes(p, keyring.File("x").Dir()) {
		t.Errorf("%v; an empty ledger and its directory may go", stages)
	}
}

// A key that was there before goes on signing after the rollback: the ledger
// has no word to say about it any more.
func TestKeepLedgerForgetsWhatWasAdopted(t *testing.T) {
	k := key("s1", keyring.Active)
	k.Adopted = true
	p, stages := kept(t, plan.Change{Before: ledger(k)})
	if len(stages) != 0 || !removes(p, keyring.File("x").Dir()) || len(p.Notes) != 0 {
		t.Errorf("%v is left, notes %v", stages, p.Notes)
	}
}

// What a command did in several runs is one entry to take back, by the ID that it
// printed and without one.
func TestRunsToUndo(t *testing.T) {
	entry := func(id string, status apply.Status, paths ...state.Path) apply.Entry {
		return apply.Entry{ID: id, Status: status, Paths: append(paths, plan.RecordPath)}
	}
	all := []apply.Entry{
		entry("a", apply.Done, "/etc/a"), entry("b", apply.Undone, "/etc/a"), entry("b.2", apply.Done, "/etc/b"), entry("b.3", apply.Done, "/etc/a"),
		entry("c", apply.Undone),
	}
	for id, want := range map[string]string{"": "b.2 b.3", "b": "b.2 b.3", "b.3": "b.3", "a": "a"} {
		runs, err := runsToUndo(all, id)
		var ids []string
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("rollback %s: %q, %v, want %q", id, got, err, want)
		}
	}
	for id, want := range map[string]string{
		"c": "run c was not completed: there is nothing to take back", "b.1": `no run "b.1"`, "x": `no run "x"`,
	} {
		if _, err := runsToUndo(all, id); err == nil || err.Error() != want {
			t.Errorf("rollback %s: %v, want %s", id, err, want)
		}
	}
	if got := goesFirst(all, all[:1]); got != "what changed the same since goes first:\nmailsetup rollback b" {
		t.Errorf("hint %q", got)
	}
	if got := goesFirst(all, all[3:4]); got != "put those files back by hand" {
		t.Errorf("hint %q", got)
	}
}
