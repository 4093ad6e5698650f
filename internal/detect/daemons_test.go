package detect

import (
	"testing"

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
