package apply_test

import (
	"context"
	"errors"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/system/systemtest"
)

var faults = []systemtest.Fault{
	systemtest.ErrorBefore, systemtest.ErrorAfter, systemtest.CrashBefore, systemtest.CrashAfter,
}

// TestEveryFault lets each operation of a run go wrong in each way. However it
// ends, the machine is as it was or as it should be, and the run says which.
func TestEveryFault(t *testing.T) {
	p, start, end, ops := worlds(t)
	t.Logf("%d operations", ops)
	for k := 1; k <= ops; k++ {
		for _, fault := range faults {
			m := machine()
			f := &systemtest.Faulty{System: m, At: k, Fault: fault}
			var err error
			crashed := systemtest.Survive(func() { _, err = runOn(context.Background(), f, p, "a") })
			if crashed {
				want := start
				if finished(t, m) {
					want = end
				}
				if err := recoverOn(m); err != nil {
					t.Fatalf("%s at %d (%s): recover: %v", fault, k, f.Last, err)
				}
				compare(t, m, want, f)
				continue
			}
			var notUndone *apply.NotUndoneError
			switch {
			case errors.As(err, &notUndone):
				t.Errorf("%s at %d: %v", fault, k, err)
			case err == nil:
				compare(t, m, end, f)
			default:
				compare(t, m, start, f)
			}
			nothingOpen(t, m, f)
		}
	}
}

// finished tells whether the only run there is in the journal was completed.
func finished(t *testing.T, m *systemtest.Mem) bool {
	t.Helper()
	h, err := apply.NewJournal(m, apply.JournalDir).History()
	if err != nil {
		t.Fatal(err)
	}
	return len(h) == 1 && h[0].Status == apply.Done
}

func compare(t *testing.T, m *systemtest.Mem, want string, f *systemtest.Faulty) {
	t.Helper()
	if got := look(t, m); got != want {
		t.Fatalf("%s at %d:\ngot\n%s\nwant\n%s", f.Fault, f.At, got, want)
	}
}

func nothingOpen(t *testing.T, m *systemtest.Mem, f *systemtest.Faulty) {
	t.Helper()
	open, err := apply.NewJournal(m, apply.JournalDir).Open()
	if err != nil || open != nil {
		t.Fatalf("%s at %d: the journal is open: %v, %v", f.Fault, f.At, open, err)
	}
}

// TestEveryFaultOfAnUndo adds a run that fails by itself, so that faults hit
// its undo, too. An undo that fails says so, leaves the journal open, and is
// completed by recover.
func TestEveryFaultOfAnUndo(t *testing.T) {
	p, start, _, _ := worlds(t)
	probe := machine()
	brokenProbe(probe)
	count := &systemtest.Faulty{System: probe}
	if _, err := runOn(context.Background(), count, p, "a"); err == nil {
		t.Fatal("the broken run succeeded")
	}
	notUndone := 0
	for k := 1; k <= count.Ops; k++ {
		for _, fault := range faults {
			m := machine()
			brokenProbe(m)
			f := &systemtest.Faulty{System: m, At: k, Fault: fault}
			var err error
			crashed := systemtest.Survive(func() { _, err = runOn(context.Background(), f, p, "a") })
			var not *apply.NotUndoneError
			if errors.As(err, &not) {
				notUndone++
				if len(not.Commands) == 0 {
					t.Errorf("%s at %d: no command for the operator", fault, k)
				}
			}
			if crashed || not != nil {
				if err := recoverOn(m); err != nil {
					t.Fatalf("%s at %d (%s): recover: %v", fault, k, f.Last, err)
				}
			}
			compare(t, m, start, f)
			nothingOpen(t, m, f)
		}
	}
	if notUndone == 0 {
		t.Error("no fault made an undo fail: the test proves less than it says")
	}
}

// TestEveryCrashOfARecovery kills runs at many places and then the recovery at
// every place.
func TestEveryCrashOfARecovery(t *testing.T) {
	p, start, _, ops := worlds(t)
	step := 17
	if testing.Short() {
		step = 41
	}
	kills := 0
	for k := 2; k <= ops; k += step {
		for r := 1; ; r++ {
			m := killed(t, p, k)
			if finished(t, m) {
				break
			}
			fault := faults[2+r%2]
			f := &systemtest.Faulty{System: m, At: (r + 1) / 2, Fault: fault}
			if !systemtest.Survive(func() { _ = recoverOn(f) }) {
				break // the recovery has fewer operations
			}
			kills++
			if err := recoverOn(m); err != nil {
				t.Fatalf("run killed at %d, recovery at %d (%s): %v", k, f.At, f.Last, err)
			}
			compare(t, m, start, f)
			nothingOpen(t, m, f)
		}
	}
	t.Logf("%d recoveries killed", kills)
	if kills < 100 {
		t.Errorf("only %d recoveries were killed", kills)
	}
}

func killed(t *testing.T, p plan.Plan, k int) *systemtest.Mem {
	t.Helper()
	m := machine()
	f := &systemtest.Faulty{System: m, At: k, Fault: systemtest.CrashAfter}
	if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, p, "a") }) {
		t.Fatalf("the run was not killed at %d", k)
	}
	return m
}

// TestEveryCancellation interrupts a run at every operation.
func TestEveryCancellation(t *testing.T) {
	p, start, end, ops := worlds(t)
	undone := 0
	for k := 1; k <= ops; k++ {
		m := machine()
		ctx, cancel := context.WithCancel(context.Background())
		f := &systemtest.Faulty{System: m, Hook: func(n int) {
			if n == k {
				cancel()
			}
		}}
		_, err := runOn(ctx, f, p, "a")
		cancel()
		f.At = k
		switch {
		case err == nil:
			compare(t, m, end, f)
		case errors.Is(err, context.Canceled):
			undone++
			compare(t, m, start, f)
		default:
			t.Fatalf("cancelled at %d: %v", k, err)
		}
		nothingOpen(t, m, f)
	}
	if undone < ops*9/10 {
		t.Errorf("%d of %d cancellations were heeded", undone, ops)
	}
}
