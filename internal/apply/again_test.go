package apply_test

import (
	"context"
	"errors"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// TestEveryCrashOfARollbacksRecovery kills the rollback of a run that moved a
// milter at every place, and its recovery at every place, and recovers again: the
// second recovery comes by stages that are further back already, where the milter
// does not answer at the place where it would have to after that stage alone.
func TestEveryCrashOfARollbacksRecovery(t *testing.T) {
	kills := 0
	for k, over := 1, false; !over; k++ {
		for r, done := 1, false; !done && !over; r++ {
			m, back := moved(t)
			f := &systemtest.Faulty{System: m, At: k, Fault: systemtest.CrashAfter}
			if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, back, "b") }) {
				over = true
				break
			}
			f = &systemtest.Faulty{System: m, At: r, Fault: systemtest.CrashAfter}
			if done = !systemtest.Survive(func() { _ = recoverOn(f) }); done {
				break // it has fewer operations
			}
			kills++
			if err := recoverOn(m); err != nil {
				t.Fatalf("rollback killed at %d, recovery at %d (%s): %v", k, r, f.Last, err)
			}
			nothingOpen(t, m, f)
			if e := history(t, m); e[len(e)-1].Status == apply.Done {
				continue // killed when it was done
			}
			if is := m.Loaded("signer.service")["/etc/signer.conf"]; is != "new\n" {
				t.Fatalf("rollback killed at %d, recovery at %d (%s): the signer runs with %q", k, r, f.Last, is)
			}
		}
	}
	if kills < 100 {
		t.Errorf("only %d recoveries were killed", kills)
	}
}

// moved is a server after a run that made the signer listen elsewhere, and the
// plan that takes it back.
func moved(t *testing.T) (*systemtest.Mem, plan.Plan) {
	t.Helper()
	m, want := guarded(t)
	at := func(sock string) []state.Probe {
		return []state.Probe{{Kind: state.ProbeMilter, Address: sock}}
	}
	want.Stages[2].Units[0].Probes, want.Stages[2].Units[0].UndoProbes = at("/run/new"), at("/run/old")
	m.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeMilter && m.Loaded("signer.service")["/etc/signer.conf"] != map[string]string{"/run/new": "new\n", "/run/old": "old\n"}[p.Address] {
			return errors.New("milter " + p.Address + ": no such file or directory")
		}
		return nil
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	back, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err != nil {
		t.Fatal(err)
	}
	return m, back
}
