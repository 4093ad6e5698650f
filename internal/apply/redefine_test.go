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

const redefined = "/etc/systemd/system/d.service.d/override.conf"

// moving is a daemon that listens where a drop-in of its unit says, and a run
// that makes it listen elsewhere.
func moving() (*systemtest.Mem, state.State) {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile(redefined, "[Service]\nExecStart=\nExecStart=/usr/sbin/d -p inet:1@localhost\n")
	m.Unit("d.service")
	m.Defines("d.service", redefined)
	return m, state.State{Stages: []state.Stage{{
		Name:  "D",
		Edits: []state.Edit{state.UnitEdit{Path: redefined, Drop: []string{"ExecStart"}}},
		Units: []state.Unit{{
			Name: "d.service", Action: state.Restart, NeedsDaemonReload: true,
			Probes:     []state.Probe{{Kind: state.ProbeMilter, Address: "/run/d.sock"}},
			UndoProbes: []state.Probe{{Kind: state.ProbeMilter, Address: "inet:1@localhost"}},
		}},
	}}}
}

// unitDeeds are those to do with units.
func unitDeeds(m *systemtest.Mem) string {
	return strings.Join(slices.DeleteFunc(m.Trace(), func(l string) bool {
		return !strings.HasPrefix(l, "daemon-reload") && !strings.HasPrefix(l, "restart") && !strings.HasPrefix(l, "probe")
	}), "\n")
}

const (
	movedForth = "probe milter inet:1@localhost\ndaemon-reload\nrestart d.service\nprobe milter /run/d.sock"
	movedBack  = "daemon-reload\nrestart d.service\nprobe milter inet:1@localhost"
)

func TestSystemdReadsAChangedUnitFirst(t *testing.T) {
	m, want := moving()
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	if got := unitDeeds(m); got != movedForth {
		t.Errorf("forth:\n%s\nwant\n%s", got, movedForth)
	}
	if got := m.Loaded("d.service")[redefined]; got != "[Service]\n" {
		t.Errorf("it runs as %q", got)
	}
	p, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err != nil {
		t.Fatal(err)
	}
	m.ClearTrace()
	if _, err := runOn(context.Background(), m, p, "b"); err != nil {
		t.Fatal(err)
	}
	if got, want := unitDeeds(m), "probe milter /run/d.sock\n"+movedBack; got != want {
		t.Errorf("rollback:\n%s\nwant\n%s", got, want)
	}
}

func TestSystemdReadsAUnitThatIsPutBack(t *testing.T) {
	m, want := moving()
	m.OnProbe = func(p state.Probe) error {
		if p.Address == "/run/d.sock" {
			return errors.New("nobody answers")
		}
		return nil
	}
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Failed", err)
	}
	if got := unitDeeds(m); got != movedForth+"\n"+movedBack {
		t.Errorf("there and back:\n%s\nwant\n%s\n%s", got, movedForth, movedBack)
	}
}

func TestSystemdReadsTheUnitOfAKilledRun(t *testing.T) {
	m, want := moving()
	f := &systemtest.Faulty{System: m, On: "restart d.service", Fault: systemtest.CrashAfter}
	if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, planFor(t, m, want), "a") }) {
		t.Fatal("it was not killed")
	}
	m.ClearTrace()
	if err := recoverOn(m); err != nil {
		t.Fatal(err)
	}
	if got := unitDeeds(m); got != movedBack {
		t.Errorf("recovery:\n%s\nwant\n%s", got, movedBack)
	}
}

// A daemon that nobody could reach before is not waited for on the way back.
func TestWhatDidNotAnswerIsNotAsked(t *testing.T) {
	m, want := moving()
	m.OnProbe = func(state.Probe) error { return errors.New("nobody answers") }
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Failed", err)
	}
	if got, want := unitDeeds(m), movedForth+"\ndaemon-reload\nrestart d.service"; got != want {
		t.Errorf("there and back:\n%s\nwant\n%s", got, want)
	}
}

func TestTheOperatorIsToldToReloadUnits(t *testing.T) {
	m, want := moving()
	f := &systemtest.Faulty{System: m, On: "daemon-reload", Fault: systemtest.ErrorBefore}
	_, err := runOn(context.Background(), f, planFor(t, m, want), "a")
	var not *apply.NotUndoneError
	if !errors.As(err, &not) {
		t.Fatalf("error %v, want *NotUndone", err)
	}
	commands := []string{"systemctl daemon-reload", "systemctl restart d.service", "mailsetup recover"}
	if !slices.Equal(not.Commands, commands) {
		t.Errorf("commands %q, want %q", not.Commands, commands)
	}
	if err := recoverOn(m); err != nil {
		t.Errorf("recover: %v", err)
	}
}

// Where a rollback makes a milter move, mail has to wait until it has.
func TestARollbackAsksForMailWhenTheMilterIsBack(t *testing.T) {
	for _, guard := range []bool{false, true} {
		m, want := guarded(t)
		takes := []state.Probe{{Kind: state.ProbeSMTP, Address: "127.0.0.1:25"}}
		want.Stages = want.Stages[1:]
		want.Stages[2].Units[0].Probes = takes
		if !guard {
			want.Stages = want.Stages[1:]
			want.Stages[1].Files[0].Content = []byte("milter = elsewhere\n")
		}
		if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
			t.Fatal(err)
		}
		p, err := apply.Inverse(context.Background(), history(t, m)[0], m)
		if err != nil {
			t.Fatal(err)
		}
		m.ClearTrace()
		if _, err := runOn(context.Background(), m, p, "b"); err != nil {
			t.Fatal(err)
		}
		got := deeds(m)
		back := slices.Index(got, "restart signer.service")
		if smtp := slices.Index(got[max(back, 0):], "probe smtp 127.0.0.1:25"); back < 0 || smtp < 0 {
			t.Errorf("with guard %v:\n%s", guard, strings.Join(got, "\n"))
		}
		if n := strings.Count(strings.Join(got[:back], "\n"), "probe smtp"); n > 1 { // one looks how it is
			t.Errorf("with guard %v, mail is asked for too early:\n%s", guard, strings.Join(got, "\n"))
		}
	}
}

// A name server is asked whether records are gone again, unless some were
// there before.
func TestRecordsAreGoneBeforeTheRunSaysSo(t *testing.T) {
	m, want := small()
	served := state.Probe{Kind: state.ProbeServed, Origin: "forth."}
	gone := state.Probe{Kind: state.ProbeServed, Origin: "back."}
	want.Stages[0].Units[0].Probes, want.Stages[0].Units[0].UndoProbes = []state.Probe{served}, []state.Probe{gone}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	p, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err != nil {
		t.Fatal(err)
	}
	m.OnProbe = func(p state.Probe) error {
		if p.Origin == "back." {
			return errors.New("still served")
		}
		return nil
	}
	if _, err := runOn(context.Background(), m, p, "b"); err == nil || !strings.Contains(err.Error(), "still served") {
		t.Errorf("the rollback says %v, want that the records are still served", err)
	}
	if got := string(m.Files()["/etc/d.conf"].Content); got != "new\n" {
		t.Errorf("the failed rollback left %q", got)
	}
}

// A unit that took mail when the run began has to after an undo, although in
// the middle of it mail waited for what had moved.
func TestWhatTookMailIsKnownFromTheStart(t *testing.T) {
	m, want := guarded(t)
	want.Stages = want.Stages[2:]
	want.Stages[1].Files[0].Content = []byte("milter = elsewhere\n")
	want.Stages[1].Units[0].Probes = []state.Probe{{Kind: state.ProbeSMTP, Address: "127.0.0.1:25"}}
	m.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeSMTP && slices.Contains(m.Trace(), "restart signer.service") &&
			!slices.Contains(m.Trace(), "restart postfix.service") {
			return errors.New("451 try again later")
		}
		return nil
	}
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Failed", err)
	}
	if got := deeds(m); !slices.Contains(got, "restart postfix.service") || strings.Count(strings.Join(got, "\n"), "probe smtp") != 4 {
		t.Errorf("want it asked before, in its stage, and twice in the end, where a restart helps:\n%s", strings.Join(got, "\n"))
	}
}
