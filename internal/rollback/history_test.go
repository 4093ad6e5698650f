package rollback_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/rollback"
	"mailsetup/internal/state"
)

// table is the history as people read it.
func (h *host) table() string {
	h.t.Helper()
	entries, err := h.machine.Journal.History()
	if err != nil {
		h.t.Fatal(err)
	}
	return rollback.Table(entries)
}

// told is what the last run of a command says, and how it is taken back.
func (h *host) told(id string) (text, hints string) {
	h.t.Helper()
	runs, err := rollback.Describe(h.t.Context(), h.machine, id)
	if err != nil {
		h.t.Fatal(err)
	}
	last := runs[len(runs)-1]
	return last.Text(), strings.Join(last.Hints, "; ")
}

// Each run has one state, the newest comes first, and one that was rolled back says so,
// until that is rolled back as well.
func TestHistory(t *testing.T) {
	h := newHost(t)
	h.run("20261122T100000-aaaa", change{"/etc/a", file("1")})
	h.run("20261122T110000-bbbb", change{"/etc/a", file("2")}, change{"/etc/b", file("2")})
	const header = "RUN                   STARTED           COMMAND                  STATE        CHANGED\n"
	if got := h.table(); !strings.HasPrefix(got, "RUN ") || !strings.Contains(got, "\n20261122T110000-bbbb  2026-11-22 10:00  of 20261122T110000-bbbb  done   2 paths\n20261122T100000-aaaa ") {
		t.Errorf("%s\nwant a header like\n%s", got, header)
	}
	if _, hints := h.told("20261122T110000-bbbb"); hints != "mailsetup rollback 20261122T110000-bbbb" {
		t.Errorf("of the last: %s", hints)
	}
	if _, hints := h.told("20261122T100000-aaaa"); !strings.HasPrefix(hints, "it cannot be taken back now: roll back run 20261122T100000-aaaa: changed since: /etc/a; what changed the same since goes first:; mailsetup rollback 20261122T110000-bbbb") {
		t.Errorf("of the first: %s", hints)
	}

	h.back("20261122T110000-bbbb")
	if got := h.table(); strings.Count(got, " rolled back ") != 1 {
		t.Errorf("after a rollback:\n%s", got)
	}
	text, hints := h.told("20261122T110000-bbbb")
	if !strings.Contains(text, ", rolled back\nrolled back by ") || !strings.HasSuffix(hints, " does it again") {
		t.Errorf("a run that was rolled back: %s\n%s", hints, text)
	}
	if _, err := h.make("20261122T110000-bbbb"); err == nil || !hint.IsUsage(err) || !strings.Contains(err.Error(), "was rolled back already, by ") {
		t.Errorf("rolled back twice: %v", err)
	}
	if _, hints := h.told("20261122T100000-aaaa"); hints != "mailsetup rollback 20261122T100000-aaaa" {
		t.Errorf("the first, once the last is rolled back: %s", hints)
	}

	h.back("") // the rollback
	if got := h.table(); strings.Count(got, " rolled back ") != 1 || !strings.Contains(got, "bbbb  done") {
		t.Errorf("after the rollback of the rollback:\n%s", got)
	}
}

// A run says what it changed, by stage, what was said, and what it takes back.
func TestDescribe(t *testing.T) {
	h := newHost(t)
	h.PutFile("/etc/changed", "old")
	h.PutFile("/etc/gone", "old")
	mem := func(p state.Path) state.Object { o, _ := h.Read(p); return o }
	one := func(p state.Path, after state.Object) plan.Change {
		return plan.Change{Op: plan.OpOf(mem(p), after), Path: p, Before: mem(p), After: after}
	}
	h.apply("20261122T100000-aaaa", plan.Plan{
		Stages: []plan.StageChanges{
			{Name: "Settings", Changes: []plan.Change{one("/etc/new", file("1")), one("/etc/changed", file("2"))}},
			{Name: "OldKeys", Changes: []plan.Change{one("/etc/gone", state.Object{})}},
		},
		Notes: []state.Note{{Topic: "ptr", Text: "ask your hosting company", Action: "192.0.2.10 -> mail.lab.example"}},
	})
	const want = `20261122T100000-aaaa: of 20261122T100000-aaaa, 2026-11-22 10:00 UTC, done

What changed
  Settings
    + /etc/new
    ~ /etc/changed
  OldKeys
    - /etc/gone

What was said
  * ptr: ask your hosting company
      192.0.2.10 -> mail.lab.example
`
	got, _ := h.told("20261122T100000-aaaa")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	h.back("20261122T100000-aaaa")
	entries, err := h.machine.Journal.History()
	if err != nil || !slices.Equal(entries[1].TakesBack, []string{"20261122T100000-aaaa"}) {
		t.Fatalf("%+v, %v", entries, err)
	}
	if text, _ := h.told(entries[1].ID); !strings.Contains(text, "\ntakes back 20261122T100000-aaaa\n") {
		t.Errorf("of the rollback:\n%s", text)
	}
	if _, err := rollback.Describe(t.Context(), h.machine, "x"); err == nil || !hint.IsUsage(err) || err.Error() != `no run "x"` {
		t.Errorf("no run: %v", err)
	}
	h.machine.Journal = undone(h)
	if text, hints := h.told("c"); !strings.Contains(text, ", undone\n") || hints != "nothing is left of it: it was taken back at once" {
		t.Errorf("of one that failed: %s\n%s", hints, text)
	}
	h.PutFile(state.OwnDir.Join("undone", "d", "run.jsonl"), `{"event":"begin","id":"d","time":"2026-01-02T00:00:00Z"}`+"\n")
	if text, hints := h.told("d"); !strings.Contains(text, ", open\n") || hints != "mailsetup recover puts the machine back" {
		t.Errorf("of one that did not end: %s\n%s", hints, text)
	}
}

// A command of several rounds can be taken back as long as one of them is in effect,
// whatever became of the last.
func TestHintsOfSeveralRounds(t *testing.T) {
	h := newHost(t)
	h.run("a", change{"/etc/a", file("1")})
	h.run("a.2", change{"/etc/a", file("2")})
	last := h.back("a.2")
	if _, hints := h.told("a"); hints != "mailsetup rollback a" || last.Plan.Empty() {
		t.Errorf("the last round was rolled back: %s", hints)
	}
	dir := plan.OwnDir + "/journal"
	h.PutFile(dir.Join("a.3", "run.jsonl"), `{"event":"begin","id":"a.3","time":"2026-12-01T00:00:00Z"}`+"\n"+`{"event":"undone"}`+"\n")
	if _, hints := h.told("a"); hints != "mailsetup rollback a" {
		t.Errorf("the last round was undone: %s", hints)
	}
	if _, hints := h.told("a.3"); hints != "nothing is left of it: it was taken back at once" {
		t.Errorf("the undone round alone: %s", hints)
	}
	h.back("a")
	if _, hints := h.told("a"); !strings.HasSuffix(hints, " does it again") {
		t.Errorf("all was rolled back: %s", hints)
	}
	h.PutFile(dir.Join("a.4", "run.jsonl"), `{"event":"begin","id":"a.4","time":"2026-12-02T00:00:00Z"}`+"\n")
	if _, hints := h.told("a"); hints != "mailsetup recover puts the machine back" {
		t.Errorf("the last round is open: %s", hints)
	}
}
