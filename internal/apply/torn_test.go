package apply_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

const runA = apply.JournalDir + "/20261122T221500-a"

const eventsA = runA + "/run.jsonl"

// wholeJournal is what a run of the scenario writes if nothing stops it.
func wholeJournal(t *testing.T, p plan.Plan) string {
	t.Helper()
	m := machine()
	if _, err := runOn(context.Background(), m, p, "a"); err != nil {
		t.Fatal(err)
	}
	return string(m.Files()[eventsA].Content)
}

// A power failure may leave any part of a line on the disk, of any line of a run: what
// it says had not begun, so the machine becomes as it was before the run; and a run
// whose last line is there but for its end is done.
func TestEveryLineMayBeTorn(t *testing.T) {
	p, start, end, ops := worlds(t)
	whole := wholeJournal(t, p)
	torn, completed := 0, 0
	for k := 1; k <= ops; k++ {
		for _, part := range []int{1, 2, 3} {
			m := machine()
			f := &systemtest.Faulty{System: m, At: k, Fault: systemtest.CrashBefore}
			if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, p, "a") }) || !strings.HasPrefix(f.Last, "append ") {
				break
			}
			o := m.Files()[eventsA]
			if o.Kind == state.Absent {
				o = state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root}
			}
			rest, found := strings.CutPrefix(whole, string(o.Content))
			if !found {
				t.Fatalf("%d: the same run writes another journal", k)
			}
			line, _, _ := strings.Cut(rest, "\n")
			o.Content = append(o.Content, line[:len(line)*part/3]...)
			m.Put(eventsA, o)
			want := start
			if finished(t, m) {
				want = end
				completed++
			}
			if err := recoverOn(m); err != nil {
				t.Fatalf("%d, %d thirds of %.40s: %v", k, part, line, err)
			}
			f.At = k
			compare(t, m, want, f)
			nothingOpen(t, m, f)
			torn++
		}
	}
	if torn < 40 || completed != 1 {
		t.Errorf("%d lines were torn, %d runs complete", torn, completed)
	}
}

// What is missing from a journal, or wrong in it, is never guessed: such a run is an
// error that names its file, line and what to do, or is taken back to what its saved
// contents say. Nothing is touched for it, and without its directory others go on.
func TestADamagedJournalIsNeverGuessed(t *testing.T) {
	p, _, _, _ := worlds(t)
	lines := strings.SplitAfter(wholeJournal(t, p), "\n")
	lines = lines[:len(lines)-1]
	for what, alter := range map[string]func([]string) []string{
		"a line that is gone":           func(l []string) []string { return slices.Delete(l, 1, 2) },
		"a line from a newer program":   func(l []string) []string { return slices.Insert(l, 2, "{\"event\":\"snapshot\",\"stage\":1}\n") },
		"a line that is half there":     func(l []string) []string { l[3] = l[3][:len(l[3])/2] + "\n"; return l },
		"octets of another file":        func(l []string) []string { l[2] = "\x00\x01\x02\xff\n"; return l },
		"lines in another order":        func(l []string) []string { l[1], l[4] = l[4], l[1]; return l },
		"a stage that nobody announced": func(l []string) []string { return slices.Insert(l, 1, "{\"event\":\"commit\",\"stage\":7}\n") },
		"a stage of a negative number":  func(l []string) []string { return slices.Insert(l, 1, "{\"event\":\"stage\",\"stage\":-1}\n") },
		"an intent without a stage":     func(l []string) []string { return slices.Insert(l, 1, "{\"event\":\"intent\"}\n") },
		"an event without a name":       func(l []string) []string { return slices.Insert(l, 1, "{}\n") },
	} {
		for _, open := range []bool{false, true} {
			m := machine()
			if _, err := runOn(context.Background(), m, p, "a"); err != nil {
				t.Fatal(err)
			}
			altered := alter(slices.Clone(lines))
			if open { // killed before its last line
				altered = altered[:len(altered)-1]
			}
			o := m.Files()[eventsA]
			o.Content = []byte(strings.Join(altered, ""))
			m.Put(eventsA, o)
			before := systemtest.Tree(m.Files(), nil)
			j := apply.NewJournal(m, apply.JournalDir)
			_, err := j.History()
			told := &hint.Error{}
			if err == nil || !strings.Contains(err.Error(), string(eventsA)+": line ") || !errors.As(err, &told) || !strings.Contains(strings.Join(told.Lines, " "), "mv "+string(runA)+" /root/") {
				t.Errorf("%s: history says %v", what, err)
			}
			if open {
				if err := recoverOn(m); err == nil {
					t.Errorf("%s: it was taken back all the same", what)
				}
				if _, err := runOn(context.Background(), m, p, "b"); err == nil {
					t.Errorf("%s: another run began over it", what)
				}
			}
			if systemtest.Tree(m.Files(), nil) != before {
				t.Errorf("%s: something was touched", what)
			}
			for path := range m.Files() { // as the hint says
				if path == runA || strings.HasPrefix(string(path), string(runA)+"/") {
					m.Delete(path)
				}
			}
			if all, err := j.History(); err != nil || len(all) != 0 {
				t.Errorf("%s: without the run: %v, %v", what, all, err)
			}
		}
	}
}

// A journal that a newer program wrote may say more: what this one does not know of a
// known event is not needed to take the run back.
func TestFurtherFieldsOfAJournalAreNoDamage(t *testing.T) {
	p, start, _, ops := worlds(t)
	m := killed(t, p, ops*2/3)
	o := m.Files()[eventsA]
	o.Content = []byte(strings.ReplaceAll(string(o.Content), `{"event":`, `{"since":"v9","event":`))
	m.Put(eventsA, o)
	if err := recoverOn(m); err != nil {
		t.Fatal(err)
	}
	compare(t, m, start, &systemtest.Faulty{})
}

// Saved contents that are damaged or gone are not put in the place of a file: the undo
// says so, stays open, and goes on once they are back.
func TestDamagedCopiesAreNotPutBack(t *testing.T) {
	p, start, _, ops := worlds(t)
	blobs := 0
	for _, spoil := range []func(*systemtest.Mem, state.Path, state.Object){
		func(m *systemtest.Mem, at state.Path, _ state.Object) { m.Delete(at) },
		func(m *systemtest.Mem, at state.Path, o state.Object) { o.Content = []byte("zeros"); m.Put(at, o) },
		func(m *systemtest.Mem, at state.Path, o state.Object) { o.Content = nil; m.Put(at, o) },
	} {
		probe := killed(t, p, ops-3)
		for at := range probe.Files() {
			name, found := strings.CutPrefix(string(at), string(runA)+"/")
			if !found || name == "run.jsonl" || name == "reserve" {
				continue
			}
			m := killed(t, p, ops-3)
			whole := m.Files()[at]
			spoil(m, at, whole)
			damaged := m.Files()[at].Content
			err := recoverOn(m)
			for path, o := range m.Files() {
				if string(o.Content) == "zeros" && path != at {
					t.Errorf("%s is what a damaged copy said", path)
				}
			}
			if err == nil && string(damaged) != string(whole.Content) {
				continue // of a content that came after, and is not needed
			}
			blobs++
			not := &apply.NotUndoneError{}
			if !errors.As(err, &not) || !slices.Contains(not.Commands, "mailsetup recover") {
				t.Errorf("%s: %v", at, err)
			}
			m.Put(at, whole)
			if err := recoverOn(m); err != nil {
				t.Fatalf("%s is back: %v", at, err)
			}
			compare(t, m, start, &systemtest.Faulty{})
		}
	}
	if blobs < 10 {
		t.Errorf("only %d copies mattered", blobs)
	}
}

// Forgetting old runs may fail or be killed anywhere: what is left can be read, the
// newest runs can be taken back as before, and the next time it comes to its end.
func TestForgettingRunsUnderFaults(t *testing.T) {
	past := func() *systemtest.Mem {
		m := systemtest.NewMem()
		m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		m.PutFile("/etc/x", "0\n")
		for i, id := range []string{"a", "b", "b.2", "c", "d"} {
			want := state.State{Stages: []state.Stage{{Name: "One", Files: []state.File{
				{Path: "/etc/x", Mode: 0o644, Owner: state.Root, Content: fmt.Appendf(nil, "%d\n", i+1), AdminOwned: true},
			}}}}
			if _, err := runOn(context.Background(), m, planFor(t, m, want), id); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	faulted := 0
	for keep := range 5 {
		for k := 1; ; k++ {
			m := past()
			f := &systemtest.Faulty{System: m, At: k, Fault: faults[k%4]}
			var err error
			crashed := systemtest.Survive(func() { err = apply.NewJournal(f, apply.JournalDir).Prune(keep) })
			if !crashed && err == nil && f.Ops < k {
				break
			}
			faulted++
			all := history(t, m)
			if n := len(all); n < keep || n > 0 && all[n-1].ID != "20261122T221500-d" {
				t.Fatalf("keep %d, %s at %d (%s): %d runs are left: %+v", keep, f.Fault, k, f.Last, n, all)
			}
			if _, err := apply.InverseAll(context.Background(), all, m); err != nil {
				t.Fatalf("keep %d, %s at %d (%s): a run in the history cannot be taken back: %v", keep, f.Fault, k, f.Last, err)
			}
			if keep > 0 {
				inverse, err := apply.InverseAll(context.Background(), all[len(all)-keep:], m)
				if err != nil {
					t.Fatalf("keep %d, %s at %d (%s): %v", keep, f.Fault, k, f.Last, err)
				}
				if _, err := runOn(context.Background(), m, inverse, "e"); err != nil || string(m.Files()["/etc/x"].Content) != fmt.Sprintf("%d\n", 5-keep) {
					t.Fatalf("keep %d: taken back to %q, %v", keep, m.Files()["/etc/x"].Content, err)
				}
			}
			if err := apply.NewJournal(m, apply.JournalDir).Prune(keep); err != nil {
				t.Fatal(err)
			}
			names, _ := m.List(apply.JournalDir)
			if most := keep + 1; len(names) > most { // runs of one command stay together
				t.Errorf("keep %d, %s at %d: %q are left", keep, f.Fault, k, names)
			}
		}
	}
	if faulted < 60 {
		t.Errorf("only %d faults", faulted)
	}
}

// keeping draws stages with files of their own and in common, some of which are kept
// if a later stage fails, and the last of which fails.
func keeping(rnd *rand.Rand) state.State {
	var want state.State
	n := 2 + rnd.IntN(5)
	for s := range n {
		st := state.Stage{
			Name: fmt.Sprintf("S%d", s), Checkpoint: rnd.IntN(2) == 0,
			Units: []state.Unit{{Name: "d.service", Action: state.Reload, Probes: []state.Probe{{Kind: state.ProbeActive, Unit: "d.service"}}}},
		}
		for i := range 4 {
			if rnd.IntN(2) == 0 {
				continue
			}
			path := state.Path(fmt.Sprintf("/etc/k/f%d", i))
			if rnd.IntN(5) == 0 && !slices.Contains(st.Discard, path) {
				st.Discard = append(st.Discard, path)
				continue
			}
			st.Files = append(st.Files, state.File{Path: path, Mode: 0o644, Owner: state.Root, Content: fmt.Appendf(nil, "%d of S%d\n", rnd.IntN(3), s), AdminOwned: true})
		}
		want.Stages = append(want.Stages, st)
	}
	last := &want.Stages[n-1]
	last.Files = append(last.Files, state.File{Path: "/etc/k/bad", Mode: 0o644, Owner: state.Root, Content: []byte("bad\n"), AdminOwned: true})
	return want
}

// After a failure the stages that are kept are as they left the machine, and all
// others, before them and after them, are taken back; the report and the error name the
// kept ones. The same where somebody interrupts the run: its journal is closed.
func TestOnlyCheckpointsStay(t *testing.T) {
	kept, cancelled := 0, 0
	for seed := range uint64(150) {
		fresh := func() (*systemtest.Mem, plan.Plan) {
			m := systemtest.NewMem()
			m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
			for i := range 3 {
				m.PutFile(state.Path(fmt.Sprintf("/etc/k/f%d", i)), "as installed\n")
			}
			m.Unit("d.service", "/etc/k/")
			m.RejectProbe("d.service", func(files map[state.Path]string) error {
				if files["/etc/k/bad"] != "" {
					return errors.New("it does not answer")
				}
				return nil
			})
			return m, planFor(t, m, keeping(rand.New(rand.NewPCG(seed, 12))))
		}
		m, p := fresh()
		want := m.Files()
		var stay []string
		for _, st := range p.Stages[:len(p.Stages)-1] {
			if !st.Checkpoint {
				continue
			}
			stay = append(stay, st.Name)
			for _, c := range st.Changes {
				if want[c.Path] = c.After; c.After.Kind == state.Absent {
					delete(want, c.Path)
				}
			}
		}
		kept += len(stay)
		wanted := systemtest.Tree(want, within(plan.OwnDir))
		report, err := runOn(context.Background(), m, p, "a")
		failed := &apply.FailedError{}
		if !errors.As(err, &failed) || !report.Undone {
			t.Fatalf("seed %d: %v, %+v", seed, err, report)
		}
		slices.Sort(stay)
		for _, names := range [][]string{slices.Sorted(slices.Values(report.Kept)), slices.Sorted(slices.Values(failed.Kept))} {
			if !slices.Equal(names, stay) {
				t.Errorf("seed %d: kept %q, want %q", seed, names, stay)
			}
		}
		for _, name := range stay {
			if !strings.Contains(err.Error(), name) || !strings.Contains(report.String(), "not taken back: "+name) {
				t.Errorf("seed %d: %v does not say that %s stays", seed, err, name)
			}
		}
		if got := systemtest.Tree(m.Files(), within(plan.OwnDir)); got != wanted {
			t.Fatalf("seed %d: the machine is\n%s\nwant\n%s", seed, got, wanted)
		}
		m, p = fresh()
		ctx, cancel := context.WithCancel(context.Background())
		f := &systemtest.Faulty{System: m, Hook: func(n int) {
			if n == 40 {
				cancel()
			}
		}}
		_, err = runOn(ctx, f, p, "a")
		cancel()
		if errors.Is(err, context.Canceled) {
			cancelled++
		}
		if open, jerr := apply.NewJournal(m, apply.JournalDir).Open(); err == nil || jerr != nil || open != nil {
			t.Errorf("seed %d: cancelled: %v; the journal: %v, %v", seed, err, open, jerr)
		}
	}
	if kept < 100 || cancelled < 20 {
		t.Errorf("only %d stages were kept, %d runs cancelled", kept, cancelled)
	}
}
