package apply_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// guarded is a server whose mail goes out unsigned whenever the signer does
// not run, and a run that restarts the signer and ends where it began. A stage
// without units goes before all others, as the documents and keys do.
func guarded(t *testing.T) (*systemtest.Mem, state.State) {
	t.Helper()
	const sock = "/run/signer.sock"
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile("/etc/key", "old\n")
	m.PutFile("/etc/signer.conf", "old\n")
	m.PutFile("/etc/main.cf", "action = accept\n")
	m.Unit("signer.service", "/etc/signer.conf", "/etc/key")
	m.Unit("postfix.service", "/etc/main.cf")
	file := func(p state.Path, text string) []state.File {
		return []state.File{{Path: p, Mode: 0o644, Owner: state.Root, Content: []byte(text), AdminOwned: true}}
	}
	postfix := func(settled, back []state.Probe) []state.Unit {
		return []state.Unit{{Name: "postfix.service", Action: state.Reload, Probes: settled, UndoProbes: back}}
	}
	ended := []state.Probe{{Kind: state.ProbeSessions, Address: "/etc/main.cf"}}
	answers := []state.Probe{{Kind: state.ProbeMilter, Address: sock}}
	return m, state.State{Stages: []state.Stage{
		{Name: "Keys", Files: file("/etc/key", "new\n")},
		{
			Name: "DeferMail", Files: file("/etc/main.cf", "action = tempfail\n"),
			Units: postfix(ended, nil),
		},
		{
			Name: "Signer", Files: file("/etc/signer.conf", "new\n"),
			Units: []state.Unit{{
				Name: "signer.service", Action: state.Restart, WakeSocket: sock, UndoProbes: answers,
				Probes: append(answers, state.Probe{Kind: state.ProbeSigns, Address: sock}),
			}},
		},
		{
			Name: "Postfix", Files: file("/etc/main.cf", "action = accept\n"),
			Units: postfix([]state.Probe{{Kind: state.ProbeActive, Unit: "postfix.service"}}, ended),
		},
	}}
}

// watched fails the test if the signer is restarted while a process of Postfix
// would let mail go without it, or Postfix is told to do so before the signer
// was seen to answer. Sessions keep the main.cf that they began under until
// they are waited for.
type watched struct {
	*systemtest.Mem
	t        *testing.T
	accepts  bool // some process may act on action = accept
	down     bool
	restarts int
}

func watch(t *testing.T, m *systemtest.Mem) *watched { return &watched{Mem: m, t: t, accepts: true} }

func (w *watched) Act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error {
	accepts := strings.Contains(string(w.Files()["/etc/main.cf"].Content), "accept")
	switch {
	case action == state.Restart:
		if w.restarts++; w.accepts {
			w.t.Errorf("restart %s while mail may go without it:\n%s", unit, strings.Join(w.Trace(), "\n"))
		}
		w.down = true
	case unit == "postfix.service" && accepts:
		if w.accepts = true; w.down {
			w.t.Errorf("mail may go before the signer answers:\n%s", strings.Join(w.Trace(), "\n"))
		}
	}
	return w.Mem.Act(ctx, unit, action, wake)
}

func (w *watched) Probe(ctx context.Context, p state.Probe) error {
	switch p.Kind {
	case state.ProbeSessions:
		w.accepts = strings.Contains(w.Loaded("postfix.service")["/etc/main.cf"], "accept")
	case state.ProbeMilter:
		w.down = false
	}
	return w.Mem.Probe(ctx, p)
}

// deeds are the trace without files and the journal.
func deeds(m *systemtest.Mem) []string {
	return slices.DeleteFunc(m.Trace(), func(l string) bool {
		return !strings.HasPrefix(l, "re") && !strings.HasPrefix(l, "probe") || strings.Contains(l, "~") ||
			strings.HasPrefix(l, "remove")
	})
}

var guardedBack = []string{
	"reload postfix.service", "probe active postfix.service", "probe sessions /etc/main.cf",
	"restart signer.service", "probe milter /run/signer.sock",
	"reload postfix.service",
	"reload signer.service", "probe milter /run/signer.sock",
	"reload postfix.service",
}

// A rollback is a run, and asks first whether there is an answer to wait for
// should it be taken back itself.
var guardedRollback = slices.Insert(slices.Insert(slices.Clone(guardedBack),
	6, "probe milter /run/signer.sock"), 3, "probe milter /run/signer.sock")

func TestMailWaitsWhileAnUndoRestartsTheSigner(t *testing.T) {
	m, want := guarded(t)
	w := watch(t, m)
	m.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeActive {
			m.OnProbe = nil
			m.ClearTrace()
			return errors.New("no answer")
		}
		return nil
	}
	_, err := runOn(context.Background(), w, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Failed", err)
	}
	if got := deeds(m); !slices.Equal(got, guardedBack) {
		t.Errorf("undo\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(guardedBack, "\n"))
	}
	if w.restarts != 2 {
		t.Errorf("%d restarts, want one forth and one back", w.restarts)
	}
}

func TestMailWaitsWhileARollbackRestartsTheSigner(t *testing.T) {
	m, want := guarded(t)
	w := watch(t, m)
	if _, err := runOn(context.Background(), w, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	for run, id := range []string{"b", "c", "d"} { // back, forth, back
		p, err := apply.Inverse(context.Background(), history(t, m)[run], m)
		if err != nil {
			t.Fatal(err)
		}
		m.ClearTrace()
		if _, err := runOn(context.Background(), w, p, id); err != nil {
			t.Fatal(err)
		}
		if got := deeds(m); id == "b" && !slices.Equal(got, guardedRollback) {
			t.Errorf("rollback\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(guardedRollback, "\n"))
		}
		if w.restarts != run+2 {
			t.Errorf("%d restarts after rollback %s, want %d", w.restarts, id, run+2)
		}
	}
}

// A rollback tells the signer once more at its end. What answered before the
// rollback went with the signer's own stage, and asking for it takes seconds.
func TestARollbackDoesNotAskForWhatItTookBack(t *testing.T) {
	m, want := guarded(t)
	want.Stages[2].Units[0].Probes = []state.Probe{{Kind: state.ProbeMilter, Address: "/run/new.sock"}}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	m.ClearTrace()
	rollBack(t, m, 0, "b")
	all := deeds(m)
	last := slices.Index(all, "restart signer.service")
	if asked := slices.Index(all, "probe milter /run/new.sock"); asked < 0 || asked > last {
		t.Errorf("never asked before the restart:\n%s", strings.Join(all, "\n"))
	}
	if slices.Contains(all[last:], "probe milter /run/new.sock") {
		t.Errorf("asked after the restart:\n%s", strings.Join(all, "\n"))
	}
}

// TestMailWaitsWhateverGoesWrong in a run and in its rollback.
func TestMailWaitsWhateverGoesWrong(t *testing.T) {
	for _, back := range []bool{false, true} {
		for k, last := 1, false; !last; k++ {
			for _, fault := range faults {
				m, want := guarded(t)
				w := watch(t, m)
				p := planFor(t, m, want)
				if back {
					if _, err := runOn(context.Background(), w, p, "a"); err != nil {
						t.Fatal(err)
					}
					var err error
					if p, err = apply.Inverse(context.Background(), history(t, m)[0], m); err != nil {
						t.Fatal(err)
					}
				}
				f := &systemtest.Faulty{System: w, At: k, Fault: fault}
				if systemtest.Survive(func() { _, _ = runOn(context.Background(), f, p, "b") }) {
					if err := recoverOn(w); err != nil {
						t.Fatalf("%s at %d (%s): recover: %v", fault, k, f.Last, err)
					}
				}
				if last = f.Ops < k; !last && t.Failed() {
					t.Fatalf("%s at %d (%s)", fault, k, f.Last)
				}
			}
		}
	}
}
