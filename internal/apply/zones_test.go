package apply_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// named is a BIND in which one zone changes and another one is new.
func named() (*systemtest.Mem, state.State) {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile("/etc/bind/db.lab", "old\n")
	m.Unit("named.service", "/etc/bind/")
	return m, state.State{Stages: []state.Stage{{
		Name:  "DNS",
		Files: []state.File{{Path: "/etc/bind/db.lab", Mode: 0o644, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true}},
		Units: []state.Unit{{
			Name: "named.service", Action: state.Reload,
			Zones:  &state.ZoneReload{List: true, Zones: []state.ZoneInView{{Origin: "lab.example.", View: "outside"}}},
			Probes: []state.Probe{{Kind: state.ProbeActive, Unit: "named.service"}},
		}},
	}}}
}

// told returns what BIND was told since the trace was cleared.
func told(m *systemtest.Mem) string {
	return strings.Join(slices.DeleteFunc(m.Trace(), func(step string) bool {
		return !strings.HasPrefix(step, "run ") && !strings.HasSuffix(step, " named.service") || strings.HasPrefix(step, "probe ")
	}), ", ")
}

const byZone = "run rndc reconfig, run rndc reload lab.example IN outside"

func loaded(m *systemtest.Mem) string { return m.Loaded("named.service")["/etc/bind/db.lab"] }

func TestBINDIsToldOfItsZones(t *testing.T) {
	m, want := named()
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	if got := told(m); got != byZone || loaded(m) != "new\n" {
		t.Errorf("told %s; it serves %q", got, loaded(m))
	}
	m.ClearTrace()
	p := rollBack(t, m, 0, "b")
	if got := told(m); got != byZone || loaded(m) != "old\n" {
		t.Errorf("rolled back: told %s; it serves %q", got, loaded(m))
	}
	if p.Stages[0].Units[0].Zones == nil {
		t.Error("the plan of the rollback is about all zones")
	}
}

// A BIND that takes no commands (it has no key, or does not know the zone yet) is
// reloaded, as everybody does it.
func TestBINDThatTakesNoCommands(t *testing.T) {
	m, want := named()
	m.OnRun = func(system.Command) (system.Result, error) {
		return system.Result{Code: 1, Stderr: []byte("rndc: neither /etc/bind/rndc.conf nor /etc/bind/rndc.key was found")}, nil
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	if got := told(m); got != "run rndc reconfig, reload named.service" || loaded(m) != "new\n" {
		t.Errorf("told %s; it serves %q", got, loaded(m))
	}
}

func TestBINDIsToldByAnUndo(t *testing.T) {
	m, want := named()
	m.RejectProbe("named.service", func(files map[state.Path]string) error {
		if files["/etc/bind/db.lab"] == "new\n" {
			return errors.New("not loaded due to errors")
		}
		return nil
	})
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if _, ok := errors.AsType[*apply.FailedError](err); !ok {
		t.Fatalf("%v", err)
	}
	if got := told(m); got != byZone+", "+byZone || loaded(m) != "old\n" {
		t.Errorf("told %s; it serves %q", got, loaded(m))
	}
}

// The journal says which zones a killed run was about.
func TestBINDIsToldByARecovery(t *testing.T) {
	for name, fault := range map[string]systemtest.Fault{"before it was told": systemtest.CrashBefore, "after that": systemtest.CrashAfter} {
		m, want := named()
		f := &systemtest.Faulty{System: m, On: "run rndc", Fault: fault}
		if !systemtest.Survive(func() { _, _ = runOn(context.Background(), f, planFor(t, m, want), "a") }) {
			t.Fatal("not killed")
		}
		m.ClearTrace()
		if err := recoverOn(m); err != nil {
			t.Fatal(err)
		}
		if got := told(m); got != byZone || loaded(m) != "old\n" {
			t.Errorf("killed %s: told %s; it serves %q", name, got, loaded(m))
		}
	}
}

// A BIND that was down is started with all its zones.
func TestBINDThatIsDown(t *testing.T) {
	m, want := named()
	m.Inactive("named.service")
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	if got := told(m); got != "restart named.service" {
		t.Errorf("told %s", got)
	}
}
