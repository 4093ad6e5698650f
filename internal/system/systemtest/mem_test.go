package systemtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

func TestMemKeepsTheContract(t *testing.T) {
	systemtest.Contract(t, func(*testing.T) system.System {
		m := systemtest.NewMem()
		m.Put("/etc", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		return m
	})
}

func TestFaultlessFaultyKeepsTheContract(t *testing.T) {
	systemtest.Contract(t, func(*testing.T) system.System {
		m := systemtest.NewMem()
		m.Put("/etc", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		return &systemtest.Faulty{System: m}
	})
}

func TestUnitsLoadWhenActedOn(t *testing.T) {
	ctx := context.Background()
	m := systemtest.NewMem()
	m.PutFile("/etc/d.conf", "one")
	m.Unit("d.service", "/etc/d.conf")
	m.PutFile("/etc/d.conf", "two")
	if got := m.Loaded("d.service")["/etc/d.conf"]; got != "one" {
		t.Errorf("before the reload it runs with %q, want one", got)
	}
	if err := m.Act(ctx, "d.service", state.Reload, ""); err != nil {
		t.Fatal(err)
	}
	if got := m.Loaded("d.service")["/etc/d.conf"]; got != "two" {
		t.Errorf("after the reload it runs with %q, want two", got)
	}
	m.Reject("d.service", func(map[state.Path]string) error { return errors.New("bad file") })
	if err := m.Act(ctx, "d.service", state.Restart, ""); err == nil {
		t.Error("a rejected restart succeeded")
	}
	if st, _ := m.Status(ctx, "d.service"); st.Active != "failed" || m.Loaded("d.service") != nil {
		t.Errorf("after a rejected restart: %s with %v, want failed with nothing", st.Active, m.Loaded("d.service"))
	}
	want := []string{"reload d.service", "restart d.service"}
	if got := m.Trace(); !slices.Equal(got, want) {
		t.Errorf("trace %q, want %q", got, want)
	}
}

func TestAUnitIsRedefinedByADaemonReloadAndAStart(t *testing.T) {
	ctx := context.Background()
	m := systemtest.NewMem()
	m.PutFile("/etc/d.d/override.conf", "one")
	m.Unit("d.service", "/etc/d.conf")
	m.Defines("d.service", "/etc/d.d/override.conf")
	m.PutFile("/etc/d.d/override.conf", "two")
	if st, _ := m.Status(ctx, "d.service"); !st.NeedsDaemonReload {
		t.Error("a changed definition is not stale")
	}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return m.Act(ctx, "d.service", state.Restart, "") }, "one"},
		{func() error { return m.DaemonReload(ctx) }, "one"},
		{func() error { return m.Act(ctx, "d.service", state.Reload, "") }, "one"},
		{func() error { return m.Act(ctx, "d.service", state.Restart, "") }, "two"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		trace := m.Trace()
		if got := m.Loaded("d.service")["/etc/d.d/override.conf"]; got != step.want {
			t.Errorf("after %s it runs with %q, want %q", trace[len(trace)-1], got, step.want)
		}
	}
	if st, _ := m.Status(ctx, "d.service"); st.NeedsDaemonReload {
		t.Error("still stale after a daemon-reload")
	}
}

func TestFaultsStrikeWhereTheyAreTold(t *testing.T) {
	for _, tc := range []struct {
		fault   systemtest.Fault
		crashed bool
		there   bool
	}{
		{systemtest.ErrorBefore, false, false},
		{systemtest.ErrorAfter, false, true},
		{systemtest.CrashBefore, true, false},
		{systemtest.CrashAfter, true, true},
	} {
		m := systemtest.NewMem()
		f := &systemtest.Faulty{System: m, At: 2, Fault: tc.fault}
		var err error
		dir := state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root}
		crashed := systemtest.Survive(func() {
			_ = f.Mkdir("/a", dir)
			err = f.Mkdir("/b", dir)
		})
		if crashed != tc.crashed || !crashed && !errors.Is(err, systemtest.ErrInjected) {
			t.Errorf("%s: crashed %v, error %v", tc.fault, crashed, err)
		}
		if there := m.Files()["/b"].Kind == state.Directory; there != tc.there {
			t.Errorf("%s: effect %v, want %v", tc.fault, there, tc.there)
		}
		if tc.crashed && !systemtest.Survive(func() { _, _ = f.Read("/a") }) {
			t.Errorf("%s: the dead process went on", tc.fault)
		}
	}
}

func TestMemEditsServices(t *testing.T) {
	m := systemtest.NewMem()
	edit := state.MasterEdit{Path: "/etc/postfix/master.cf", Set: []state.ServiceSetting{
		{Service: "smtp/inet", Setting: state.Setting{Name: "a", Value: "b"}},
	}}
	for was, want := range map[string]string{
		"smtp inet n - y - - smtpd\n":        "",
		"smtp unix - - y - - smtp\n":         "edit /etc/postfix/master.cf: there is no service smtp/inet",
		"#\nsmtp inet\n":                     `/etc/postfix/master.cf:2: "smtp" has 2 fields; a service has 8 at least: name, type, private, unpriv, chroot, wakeup, maxproc, command`,
		"smtp inet n - y - - smtpd -o a=b\n": "",
	} {
		out, err := m.Evaluate(t.Context(), edit, state.Object{Kind: state.Regular, Content: []byte(was)})
		switch {
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%q: %q, %v; want %s", was, out, err, want)
		case want == "" && (err != nil || !strings.Contains(string(out), "-o a=b")):
			t.Errorf("%q: %q, %v", was, out, err)
		}
	}
	if _, err := m.Evaluate(t.Context(), edit, state.Object{}); err == nil {
		t.Error("edited a file that is not there")
	}
}

func TestMemKeepsTheUpdateContract(t *testing.T) {
	systemtest.UpdateContract(t, func(_ *testing.T, records ...state.Record) systemtest.Primary {
		m := systemtest.NewMem()
		m.Zone("example.org.", records...)
		return systemtest.Primary{
			Updater: &systemtest.Faulty{System: m},
			Served:  func() []state.Record { return m.Served("example.org.") },
		}
	})
}
