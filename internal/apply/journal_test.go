package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

func TestHistoryTellsRuns(t *testing.T) {
	m, want := small()
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	h := history(t, m)
	if len(h) != 1 {
		t.Fatalf("%d runs, want 1", len(h))
	}
	e := h[0]
	if e.ID != "20261122T221500-a" || e.Command != "mailsetup init" || !e.Started.Equal(clock()) ||
		e.Status != apply.Done || !slices.Equal(e.Paths, []state.Path{"/etc/d.conf"}) {
		t.Errorf("entry %+v", e)
	}
}

func history(t *testing.T, m *systemtest.Mem) []apply.Entry {
	t.Helper()
	h, err := apply.NewJournal(m, apply.JournalDir).History()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// aboutToCommit is the small machine, killed when its run has announced the
// commit and done nothing of it: the new content lies beside the file.
func aboutToCommit(t *testing.T) (m *systemtest.Mem, whole state.Object) {
	t.Helper()
	m, want := small()
	f := &systemtest.Faulty{System: m, On: "rename /etc/d.conf", Fault: systemtest.CrashBefore}
	if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, planFor(t, m, want), "a") }) {
		t.Fatal("not killed")
	}
	if m.Files()["/etc/.mailsetup-20261122T221500-a-1-0~"].Kind != state.Regular {
		t.Fatal("killed too early")
	}
	return m, m.Files()[smallRun+"/run.jsonl"]
}

// TestTornLines cuts the last line of a killed run at every byte, as a power
// failure may, and recovers: nothing of the run is left.
func TestTornLines(t *testing.T) {
	const runFile state.Path = smallRun + "/run.jsonl"
	m, whole := aboutToCommit(t)
	lines := strings.SplitAfter(string(whole.Content), "\n")
	first := len(lines[0])
	last := len(whole.Content) - len(lines[len(lines)-2])
	for n := last; n < len(whole.Content); n++ {
		m, cut := aboutToCommit(t)
		cut.Content = cut.Content[:n]
		m.Put(runFile, cut)
		j := apply.NewJournal(m, apply.JournalDir)
		if open, err := j.Open(); err != nil || open == nil {
			t.Fatalf("cut at %d: open %v, error %v", n, open, err)
		}
		if err := recoverOn(m); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if h := history(t, m); len(h) != 1 || h[0].Status != apply.Undone {
			t.Fatalf("cut at %d: history %+v", n, h)
		}
		if names, _ := m.List("/etc"); !slices.Equal(names, []string{"d.conf"}) || string(m.Files()["/etc/d.conf"].Content) != "old\n" {
			t.Fatalf("cut at %d: left in /etc: %q", n, names)
		}
	}
	cut := whole
	cut.Content = whole.Content[:first/2]
	m.Put(runFile, cut)
	if open, err := apply.NewJournal(m, apply.JournalDir).Open(); open != nil || err != nil {
		t.Errorf("a run that never began is open: %v, %v", open, err)
	}
}

func TestADamagedJournalIsAnError(t *testing.T) {
	m, want := small()
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	o := m.Files()[smallRun+"/run.jsonl"]
	lines := strings.SplitAfter(string(o.Content), "\n")
	lines[1] = "{\"event\":\"int\n"
	o.Content = []byte(strings.Join(lines, ""))
	m.Put(smallRun+"/run.jsonl", o)
	if _, err := apply.NewJournal(m, apply.JournalDir).History(); err == nil || !strings.Contains(err.Error(), "line 2: is damaged") {
		t.Errorf("error %v, want line 2 damaged", err)
	}
}

func TestPruneKeepsTheNewestAndTheOpen(t *testing.T) {
	m, want := small()
	ids := []string{"a", "b", "c", "d"}
	for i, id := range ids {
		m.PutFile("/etc/d.conf", fmt.Sprintf("version %d\n", i))
		f := &systemtest.Faulty{System: m}
		if id == "d" {
			f.On, f.Fault = "reload d.service", systemtest.CrashAfter
		}
		crashed := systemtest.Survive(func() {
			if _, err := runOn(context.Background(), f, planFor(t, m, want), id); err != nil {
				t.Error(err)
			}
		})
		if crashed != (id == "d") {
			t.Fatalf("run %s: crashed %v", id, crashed)
		}
	}
	if err := apply.NewJournal(m, apply.JournalDir).Prune(2); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range history(t, m) {
		left = append(left, e.ID+" "+string(e.Status))
	}
	want2 := []string{"20261122T221500-c done", "20261122T221500-d open"}
	if !slices.Equal(left, want2) {
		t.Errorf("left %q, want %q", left, want2)
	}
	if names, _ := m.List(apply.JournalDir); len(names) != 2 {
		t.Errorf("directories %q, want two", names)
	}
	if err := apply.NewJournal(m, apply.JournalDir).Prune(0); err != nil {
		t.Fatal(err)
	}
	if h := history(t, m); len(h) != 1 || h[0].Status != apply.Open {
		t.Errorf("an open run was pruned: %+v", h)
	}
}

// TestTheJournalIsPrivate: contents in it may be private keys.
func TestTheJournalIsPrivate(t *testing.T) {
	p, _, _, _ := worlds(t)
	m := machine()
	if _, err := runOn(context.Background(), m, p, "a"); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path, o := range m.Files() {
		if !strings.HasPrefix(string(path), string(plan.OwnDir)) {
			continue
		}
		seen++
		if o.Mode.Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, o.Mode)
		}
	}
	if seen < 10 {
		t.Errorf("only %d files looked at", seen)
	}
}
