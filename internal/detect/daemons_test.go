package detect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// What systemd 252 and 257 say of a unit, and what that means.
func TestDaemon(t *testing.T) {
	for _, tt := range []struct {
		name string
		is   system.UnitStatus
		want state.Daemon
	}{
		{"up", system.UnitStatus{Load: "loaded", Active: "active", Result: "success", AtBoot: "enabled"}, state.Daemon{Running: true}},
		{"stopped", system.UnitStatus{Load: "loaded", Active: "inactive", Result: "success", Ran: true, AtBoot: "enabled"}, state.Daemon{Stopped: true}},
		{"stopping", system.UnitStatus{Load: "loaded", Active: "deactivating", Result: "success", AtBoot: "enabled-runtime"}, state.Daemon{Stopped: true}},
		{"killed just now", system.UnitStatus{Load: "loaded", Active: "deactivating", Result: "signal", AtBoot: "enabled"}, state.Daemon{}},
		{"never started", system.UnitStatus{Load: "loaded", Active: "inactive", Result: "success", AtBoot: "disabled"}, state.Daemon{Disabled: true}},
		{"killed", system.UnitStatus{Load: "loaded", Active: "failed", Result: "signal", Ran: true, AtBoot: "enabled"}, state.Daemon{}},
		{"masked", system.UnitStatus{Load: "masked", Active: "inactive", Result: "success", Ran: true, AtBoot: "masked"}, state.Daemon{Masked: true, Stopped: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := daemon(tt.is); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// On Debian 12 the instance ends after postfix.service, which systemctl(1) has
// waited for: its master is alive for some seconds, longer on a busy machine.
func TestPostfixOfDebian12(t *testing.T) {
	was := system.UnitStatus{Load: "loaded", Active: "inactive", Result: "success", Ran: true, AtBoot: "enabled"}
	up := system.UnitStatus{Load: "loaded", Active: "active", Result: "success", AtBoot: "enabled"}
	ends := system.UnitStatus{Load: "loaded", Active: "deactivating", Result: "success", AtBoot: "enabled-runtime"}
	const dead, alive = 0, 1 // exit status of master -t
	for _, tt := range []struct {
		name           string
		main, instance system.UnitStatus
		master         int
		want           state.Daemon // the instance
	}{
		{"up", up, up, alive, state.Daemon{Running: true}},
		{"systemctl stop, and it ends", was, ends, alive, state.Daemon{Stopped: true}},
		{"systemctl stop, and it has ended", was, was, dead, state.Daemon{Stopped: true}},
		{"postfix start", was, was, alive, state.Daemon{Running: true}},
		{"killed just now", up, ends, dead, state.Daemon{}},
		{"killed", up, was, dead, state.Daemon{}},
	} {
		m := detecttest.New()
		m.Units["postfix.service"], m.Units["postfix@-.service"] = tt.main, tt.instance
		m.Answers[`sh -c "$0" -t`] = system.Result{Code: tt.master}
		f := state.Facts{
			Installed: map[string]bool{"postfix": true},
			Postfix:   &state.Postfix{Unit: "postfix@-.service", Value: map[string]string{"daemon_directory": "/usr/lib/postfix/sbin"}},
		}
		if err := daemons(t.Context(), m, source.Options{}, &f); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, f.Daemons["postfix@-.service"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
