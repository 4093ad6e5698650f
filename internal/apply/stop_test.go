package apply_test

import (
	"context"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// unneeded is a unit that runs, and the wish that it stops and loses its file.
func unneeded() (*systemtest.Mem, state.State) {
	m, want := small()
	m.PutFile("/etc/d.conf", "old\n")
	if err := m.Act(context.Background(), "d.service", state.Enable, ""); err != nil {
		panic(err)
	}
	want.Stages = []state.Stage{{Name: "Retired", Discard: []state.Path{"/etc/d.conf"}, Units: []state.Unit{
		{Name: "d.service", Action: state.Disable, Always: true}, {Name: "d.service", Action: state.Stop, Always: true},
	}}}
	return m, want
}

// A rollback starts what a run has stopped, with its file.
func TestAUnitIsStopped(t *testing.T) {
	m, want := unneeded()
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := report.String(), "1 file removed, disable d.service, stop d.service\n"; got != want {
		t.Errorf("report %q, want %q", got, want)
	}
	isUnit(t, m, "disabled", "inactive")
	rollBack(t, m, 0, "b")
	isUnit(t, m, "enabled", "active")
	if got := string(m.Files()["/etc/d.conf"].Content); got != "old\n" {
		t.Errorf("the file says %q", got)
	}
	again := rollBack(t, m, 1, "c") // what a rollback started is left running
	isUnit(t, m, "disabled", "active")
	if len(again.Notes) != 1 || again.Notes[0].Action != "systemctl stop d.service" {
		t.Errorf("notes %+v", again.Notes)
	}
}

// One that runs no more is not started by taking the run back.
func TestAUnitThatIsStoppedAlready(t *testing.T) {
	m, want := unneeded()
	m.Inactive("d.service")
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	back := rollBack(t, m, 0, "b")
	isUnit(t, m, "enabled", "inactive")
	if len(back.Notes) != 0 {
		t.Errorf("notes %+v", back.Notes)
	}
}

func TestAFailedRunStartsWhatItStopped(t *testing.T) {
	m, want := unneeded()
	want.Stages = append(want.Stages, state.Stage{Name: "Late", Units: []state.Unit{
		{Name: "gone.service", Action: state.Start, Always: true},
	}})
	m.Unit("gone.service", "/etc/d.conf")
	m.Reject("gone.service", func(map[state.Path]string) error { return context.DeadlineExceeded })
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err == nil {
		t.Fatal("a unit that cannot start is taken")
	}
	isUnit(t, m, "enabled", "active")
	if got := string(m.Files()["/etc/d.conf"].Content); got != "old\n" {
		t.Errorf("the file says %q", got)
	}
}
