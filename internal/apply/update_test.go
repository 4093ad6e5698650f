package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// twoZones is a plan for zones on two primaries, one after the other.
func twoZones(t *testing.T) (*systemtest.Mem, plan.Plan) {
	t.Helper()
	m := machine()
	m.Zone("example.com.")
	other := state.Update{
		Origin: "example.com.", Server: "192.0.2.54:53",
		Add: []state.Record{{Name: "_dmarc.example.com.", Type: "TXT", TTL: 60, Value: "v=DMARC1; p=none"}},
	}
	return m, planFor(t, m, state.State{Stages: []state.Stage{{
		Name:    "DNS",
		Files:   []state.File{{Path: "/var/lib/memory", Mode: 0o600, Owner: state.Root, Content: []byte("records")}},
		Updates: append(updates(), other),
	}}})
}

// dead makes the primary of a zone one that cannot be reached.
func dead(m *systemtest.Mem, origins ...string) {
	m.OnUpdate = func(u state.Update) error {
		if slices.Contains(origins, u.Origin) {
			return fmt.Errorf("update %s: connection refused: %w", u.Origin, system.ErrUntouched)
		}
		return nil
	}
}

func sent(m *systemtest.Mem) []string {
	return slices.DeleteFunc(m.Trace(), func(s string) bool { return !strings.HasPrefix(s, "update ") })
}

func served(m *systemtest.Mem) string {
	return fmt.Sprint(m.Served("example.net."), m.Served("example.com."))
}

// A primary that was not reached was not changed: it need not be alive for the
// run to end as if it had not begun.
func TestADeadPrimaryLeavesNothingHalfPublished(t *testing.T) {
	m, p := twoZones(t)
	was := served(m)
	dead(m, "example.com.")
	_, err := runOn(context.Background(), m, p, "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("error %v, want one that says that all is as it was", err)
	}
	if is := served(m); is != was {
		t.Errorf("zones are\n%s\nwere\n%s", is, was)
	}
	if got, want := sent(m), []string{"update example.net.", "update example.com.", "update example.net."}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	nothingOpen(t, m, &systemtest.Faulty{})
}

// A primary that dies when it has been changed keeps the run open until it is
// back.
func TestAPrimaryThatDiesIsTakenBackLater(t *testing.T) {
	m, p := twoZones(t)
	was := served(m)
	m.OnUpdate = func(u state.Update) error {
		if u.Origin == "example.com." {
			dead(m, "example.com.", "example.net.")
			return fmt.Errorf("update %s: connection reset", u.Origin)
		}
		return nil
	}
	_, err := runOn(context.Background(), m, p, "a")
	var not *apply.NotUndoneError
	if !errors.As(err, &not) || !slices.Equal(not.Commands, []string{"mailsetup recover"}) {
		t.Fatalf("error %v, want one that says that not all could be put back", err)
	}
	if err := recoverOn(m); err == nil {
		t.Error("recovered while the primaries are dead")
	}
	m.OnUpdate = nil
	if err := recoverOn(m); err != nil {
		t.Fatal(err)
	}
	if is := served(m); is != was {
		t.Errorf("zones are\n%s\nwere\n%s", is, was)
	}
	nothingOpen(t, m, &systemtest.Faulty{})
}

// A plan that only updates zones is a plan, and acts on no unit of this machine.
func TestAPlanOfUpdatesAlone(t *testing.T) {
	m := machine()
	want := state.State{Stages: []state.Stage{{
		Name: "DNS", Updates: updates(), Units: []state.Unit{{Name: "named.service", Action: state.Reload}},
	}}}
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if err != nil || report.Zones != 1 || len(report.Units) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := m.Served("example.net."); len(got) != 2 {
		t.Errorf("it has %v", got)
	}
	back := rollBack(t, m, 0, "b")
	if got := m.Served("example.net."); !slices.Equal(got, []state.Record{policyThere}) {
		t.Errorf("rolled back it has %v", got)
	}
	if len(back.Stages) != 1 || len(back.Stages[0].Updates) != 1 {
		t.Errorf("the plan of the rollback is %+v", back)
	}
}

// What somebody made of a record since is not rolled back over.
func TestARollbackLeavesOthersRecords(t *testing.T) {
	m := machine()
	want := state.State{Stages: []state.Stage{{Name: "DNS", Updates: updates()}}}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
		t.Fatal(err)
	}
	theirs := policyThere
	theirs.Value = "v=DMARC1; p=quarantine"
	m.Zone("example.net.", theirs)
	p, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = runOn(context.Background(), m, p, "b")
	if err == nil || !strings.Contains(err.Error(), "changed by somebody else") || errors.As(err, new(*apply.NotUndoneError)) {
		t.Errorf("error %v", err)
	}
	if got := m.Served("example.net."); !slices.Equal(got, []state.Record{theirs}) {
		t.Errorf("it has %v", got)
	}
}
