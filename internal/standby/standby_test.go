package standby_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

const (
	held  = "# Written by mailsetup while apt installs exim4: mail waits.\nhold_domains = *\n"
	local = state.Path("/etc/exim4/exim4.conf.localmacros")
	split = state.Path("/etc/exim4/conf.d/main/00_mailsetup")
)

func TestOf(t *testing.T) {
	for want, packages := range map[string][]string{"postfix": {"opendkim", "postfix"}, "exim4-daemon-heavy": {"exim4-daemon-heavy"}, "": {"opendkim", "exim4-base"}} {
		if got := standby.Of(packages); got != want {
			t.Errorf("of %q: %q", packages, got)
		}
	}
	if a, b := standby.Service("postfix"), standby.Service("exim4-daemon-light"); a != "postfix" || b != "exim4" {
		t.Error(a, b)
	}
}

// While apt runs no unit of the mail server starts, and an exim4 holds what sendmail(8) gives
// it. Afterwards everything is as it was.
func TestHeld(t *testing.T) {
	for _, tt := range []struct {
		name, mta string
		units     string
		before    map[state.Path]string
		while     map[state.Path]string
	}{
		{"Postfix", "postfix", "postfix.service postfix@-.service", nil, nil},
		{"exim4", "exim4-daemon-light", "exim4.service", nil, map[state.Path]string{local: held}},
		{"exim4 once more", "exim4-daemon-light", "exim4.service", map[state.Path]string{local: "X = y\n", split: "Z = y\n"}, map[state.Path]string{local: held + "X = y\n", split: "Z = y\n"}},
		{
			"a split configuration", "exim4-daemon-heavy", "exim4.service",
			map[state.Path]string{"/etc/exim4/update-exim4.conf.conf": "dc_use_split_config='true'\n", local: "X = y\n"},
			map[state.Path]string{split: held, local: "X = y\n"},
		},
	} {
		m := systemtest.NewMem()
		for p, text := range tt.before {
			m.PutFile(p, text)
		}
		if err := standby.Begin(context.Background(), m, tt.mta); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		condition := fmt.Sprintf("\n[Unit]\nConditionPathExists=!/proc/%d/stat\n", os.Getpid())
		for unit := range strings.FieldsSeq(tt.units) {
			o, _ := m.Read(standby.DropIn(unit))
			if !strings.HasSuffix(string(o.Content), condition) {
				t.Errorf("%s: %s: %q", tt.name, unit, o.Content)
			}
		}
		for p, want := range tt.while {
			if o, _ := m.Read(p); string(o.Content) != want {
				t.Errorf("%s: %s: %q", tt.name, p, o.Content)
			}
		}
		if !strings.Contains(strings.Join(m.Trace(), "\n"), "daemon-reload") {
			t.Errorf("%s: systemd does not know", tt.name)
		}
		for range 2 { // the second time there is nothing to do
			if err := standby.End(context.Background(), m); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		for p, o := range m.Files() {
			if o.Kind == state.Regular && (tt.before[p] == "" || tt.before[p] != string(o.Content)) {
				t.Errorf("%s: left %s: %q", tt.name, p, o.Content)
			}
		}
		if n := strings.Count(strings.Join(m.Trace(), "\n"), "daemon-reload"); n != 2 {
			t.Errorf("%s: %d daemon-reloads", tt.name, n)
		}
	}
}

// The unit of Debian 12 ran before the package was removed and installed again.
func TestWaits(t *testing.T) {
	d := map[string]state.Daemon{"postfix.service": {Running: true}, "postfix@-.service": {Stopped: true}, "exim4.service": {Masked: true, Stopped: true}}
	standby.Waits(d, "postfix")
	standby.Waits(d, "exim4-daemon-light")
	standby.Waits(d, "")
	if d["postfix@-.service"] != (state.Daemon{New: true}) || d["postfix.service"].New || d["exim4.service"].New {
		t.Errorf("%+v", d)
	}
}
