package apply_test

import (
	"context"
	"errors"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// down is a unit that nothing starts, now or at boot, and the wish that it runs.
func down() (*systemtest.Mem, state.State) {
	m, want := small()
	m.Inactive("d.service")
	if err := m.Act(context.Background(), "d.service", state.Disable, ""); err != nil {
		panic(err)
	}
	want.Stages = []state.Stage{{Name: "Daemons", Units: []state.Unit{
		{Name: "d.service", Action: state.Enable, Always: true},
		{Name: "d.service", Action: state.Start, Always: true},
	}}}
	return m, want
}

func isUnit(t *testing.T, m *systemtest.Mem, atBoot, active string) {
	t.Helper()
	st, err := m.Status(context.Background(), "d.service")
	if err != nil || st.AtBoot != atBoot || st.Active != active {
		t.Errorf("the unit is %s and %s, want %s and %s (%v)", st.AtBoot, st.Active, atBoot, active, err)
	}
}

// A rollback takes back what happens at boot, and leaves running what was started.
func TestAUnitIsEnabledAndStarted(t *testing.T) {
	m, want := down()
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := report.String(), "enable d.service, start d.service\n"; got != want {
		t.Errorf("report %q, want %q", got, want)
	}
	isUnit(t, m, "enabled", "active")
	back := rollBack(t, m, 0, "b")
	isUnit(t, m, "disabled", "active")
	if len(back.Notes) != 1 || back.Notes[0].Action != "systemctl stop d.service" {
		t.Errorf("notes %+v", back.Notes)
	}
	rollBack(t, m, 1, "c")
	isUnit(t, m, "enabled", "active")
}

func TestAFailedRunTakesBackWhatHappensAtBoot(t *testing.T) {
	m, want := down()
	want.Stages = append(want.Stages, state.Stage{Name: "Late", Units: []state.Unit{
		{Name: "gone.service", Action: state.Start, Always: true},
	}})
	m.Unit("gone.service", "/etc/d.conf")
	m.Inactive("gone.service")
	m.Reject("gone.service", func(map[state.Path]string) error { return errors.New("no") })
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if failed := (*apply.FailedError)(nil); !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	isUnit(t, m, "disabled", "inactive")
}
