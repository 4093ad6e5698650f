package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/zonefile"
)

// killedSmall is the small machine, killed while its unit was told.
func killedSmall(t *testing.T) *systemtest.Mem {
	t.Helper()
	m, want := small()
	f := &systemtest.Faulty{System: m, On: "reload d.service", Fault: systemtest.CrashBefore}
	if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, planFor(t, m, want), "a") }) {
		t.Fatal("not killed")
	}
	return m
}

func TestAnUndoneZoneHasAHigherSerial(t *testing.T) {
	p, _, _, _ := worlds(t)
	m := machine()
	brokenProbe(m)
	before := serial(t, m)
	if _, err := runOn(context.Background(), m, p, "a"); err == nil {
		t.Fatal("it succeeded")
	}
	// The run itself raised it once: what secondaries may have seen.
	after := serial(t, m)
	if !zonefile.Newer(after, before+1) {
		t.Errorf("serial %d after the undo, %d before the run", after, before)
	}
	if strings.Contains(string(m.Files()[zonePath].Content), "$INCLUDE") {
		t.Error("the zone still has our line")
	}
}

// TestAStageLooksAgain before it begins: somebody edits its file while the
// stage before it settles.
func TestAStageLooksAgain(t *testing.T) {
	m, want := small()
	m.PutFile("/etc/second", "old\n")
	want.Stages = append(want.Stages, state.Stage{Name: "E", Files: []state.File{
		{Path: "/etc/second", Mode: 0o644, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true},
	}})
	m.OnProbe = func(state.Probe) error { m.OnProbe = nil; m.PutFile("/etc/second", "by hand\n"); return nil }
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var stale *apply.StalePlanError
	if !errors.As(err, &stale) {
		t.Errorf("error %v, want *Stale inside", err)
	}
	files := m.Files()
	if got := string(files["/etc/d.conf"].Content) + string(files["/etc/second"].Content); got != "old\nby hand\n" {
		t.Errorf("files %q", got)
	}
}

// TestUndoneIsSaidOnlyAfterLooking: somebody edits a file after it was put
// back, before the undo is over.
func TestUndoneIsSaidOnlyAfterLooking(t *testing.T) {
	m := killedSmall(t)
	m.OnProbe = func(state.Probe) error { m.PutFile("/etc/d.conf", "by hand\n"); return nil }
	err := recoverOn(m)
	var not *apply.NotUndoneError
	if !errors.As(err, &not) || !strings.Contains(err.Error(), "/etc/d.conf is not as it was") {
		t.Errorf("error %v, want *NotUndone", err)
	}
}

func TestADamagedCopyIsNotPutBack(t *testing.T) {
	m := killedSmall(t)
	m.PutFile(smallRun+"/001", "o")
	err := recoverOn(m)
	if err == nil || !strings.Contains(err.Error(), "the copy in "+smallRun+"/001 is damaged") {
		t.Errorf("error %v", err)
	}
	if got := string(m.Files()["/etc/d.conf"].Content); got != "new\n" {
		t.Errorf("the file became %q", got)
	}
}

// TestASecondRecoveryRewritesNothing: the first was killed when it only had to
// close the journal.
func TestASecondRecoveryRewritesNothing(t *testing.T) {
	p, start, _, ops := worlds(t)
	count := &systemtest.Faulty{System: killed(t, p, ops-2)}
	if err := recoverOn(count); err != nil {
		t.Fatal(err)
	}
	m := killed(t, p, ops-2)
	f := &systemtest.Faulty{System: m, At: count.Ops, Fault: systemtest.CrashBefore}
	if !systemtest.Survive(func() { _ = recoverOn(f) }) {
		t.Fatal("the recovery was not killed")
	}
	m.ClearTrace()
	if err := recoverOn(m); err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Trace() {
		if strings.HasPrefix(l, "rename") || strings.HasPrefix(l, "create") || strings.HasPrefix(l, "remove") {
			t.Errorf("it did %s", l)
		}
	}
	compare(t, m, start, f)
}
