package schedule_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"mailsetup/internal/schedule"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

type machine struct {
	units map[string]system.UnitStatus
	files []state.Path
}

func (m machine) Status(_ context.Context, unit string) (system.UnitStatus, error) {
	if m.units == nil {
		return system.UnitStatus{}, errors.New("no systemd")
	}
	if s, ok := m.units[unit]; ok {
		return s, nil
	}
	return system.UnitStatus{Load: "not-found", Active: "inactive"}, nil
}

func (m machine) Stat(p state.Path) (state.Object, error) {
	if slices.Contains(m.files, p) {
		return state.Object{Kind: state.Regular}, nil
	}
	return state.Object{}, nil
}

func TestSchedule(t *testing.T) {
	const (
		file   = state.Path("/etc/cron.d/mailsetup")
		timer  = "mailsetup-rotate.timer"
		enable = " -> systemctl enable --now mailsetup-rotate.timer"
		nobody = ", and cron does not do its work: nobody looks whether a key is due"
		inTurn = ": cron looks in its place whether a key is due"
	)
	running := system.UnitStatus{Load: "loaded", Active: "active"}
	off := func(load, atBoot string) system.UnitStatus {
		return system.UnitStatus{Load: load, Active: "inactive", AtBoot: atBoot}
	}
	for name, tt := range map[string]struct {
		m     machine
		ticks bool
		says  []string
	}{
		"runs": {machine{units: map[string]system.UnitStatus{timer: {Load: "loaded", Active: "active", AtBoot: "enabled"}}, files: []state.Path{file}}, true, nil},
		"preset": {
			machine{units: map[string]system.UnitStatus{timer: off("loaded", "disabled")}, files: []state.Path{file}},
			false,
			[]string{timer + " is disabled, by a preset of this system or by somebody" + nobody + enable},
		},
		"cron instead": {
			machine{units: map[string]system.UnitStatus{timer: off("loaded", "disabled"), "cron.service": running}, files: []state.Path{file}},
			true,
			[]string{timer + " is disabled, by a preset of this system or by somebody" + inTurn + enable},
		},
		"cron without our file": {
			machine{units: map[string]system.UnitStatus{timer: off("loaded", "disabled"), "cron.service": running}},
			false,
			[]string{timer + " is disabled, by a preset of this system or by somebody" + nobody + enable},
		},
		"stopped": {
			machine{units: map[string]system.UnitStatus{timer: off("loaded", "enabled")}},
			false,
			[]string{timer + " is stopped" + nobody + " -> systemctl start " + timer},
		},
		"masked": {
			machine{units: map[string]system.UnitStatus{timer: off("masked", "masked")}},
			false,
			[]string{timer + " is masked" + nobody + " -> systemctl unmask " + timer + " && systemctl enable --now " + timer},
		},
		"nothing was installed": {machine{units: map[string]system.UnitStatus{}}, false, nil},
		"two copies": {
			machine{
				units: map[string]system.UnitStatus{timer: running},
				files: []state.Path{file, "/usr/lib/systemd/system/" + timer, "/usr/local/lib/systemd/system/" + timer},
			},
			true,
			[]string{"an earlier make install hides the package: its timer starts /usr/local/bin/mailsetup" +
				" -> rm /usr/local/bin/mailsetup /usr/local/lib/systemd/system/mailsetup-* && systemctl daemon-reload && systemctl reenable " + timer + " && systemctl restart " + timer},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schedule.Look(t.Context(), tt.m)
			if err != nil {
				t.Fatal(err)
			}
			var says []string
			for _, n := range s.Problems() {
				says = append(says, n.Text+" -> "+n.Action)
			}
			if s.Ticks() != tt.ticks || !slices.Equal(says, tt.says) {
				t.Errorf("ticks: %v, want %v\nsays %q\nwant %q", s.Ticks(), tt.ticks, says, tt.says)
			}
		})
	}
	if s, err := schedule.Look(t.Context(), machine{}); err == nil || s.Ticks() || len(s.Problems()) > 0 {
		t.Errorf("without systemd: %v, %v", s, err)
	}
}
