package check_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
)

// The outcome is kept where mailsetup has its own files, readable by root alone, and
// what cannot be read is no reason to stop.
func TestTheLastResultIsKept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*detecttest.Machine)
		changed bool
		kept    bool
		said    string
	}{
		{"on a server that mailsetup never touched", func(*detecttest.Machine) {}, false, false, ""},
		{"there, with --changed", func(m *detecttest.Machine) { m.PutFile("/var/lib/dpkg/status", "") }, true, true, ""},
		{"on one that it has set up", func(m *detecttest.Machine) { m.PutFile("/var/lib/mailsetup/unchanged", "") }, false, true, ""},
		{"what is damaged", func(m *detecttest.Machine) { m.PutFile(state.CheckFile, "{") }, true, true, "what the last check found cannot be read, so all is new: unexpected end"},
	} {
		sys := debian("")
		tt.prepare(sys)
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		o := check.Options{Offline: true, Changed: tt.changed}
		o.Only = []string{"host"}
		if _, err := check.On(t.Context(), m, o); err != nil {
			t.Fatal(err)
		}
		f, err := sys.Read(state.CheckFile)
		if err != nil || (f.Kind == state.Regular) != tt.kept || tt.kept && (f.Mode != 0o600 || !strings.HasPrefix(string(f.Content), "{\n \"version\": 1")) {
			t.Errorf("%s: %v %o %q, %v", tt.name, f.Kind, f.Mode, f.Content, err)
		}
		if !strings.Contains(said.String(), tt.said) {
			t.Errorf("%s: said %q", tt.name, said.String())
		}
	}
}

// What is contradictory is refused before anything is looked at.
func TestValidate(t *testing.T) {
	for want, o := range map[string]check.Options{
		"":                              {Online: true, Resolver: "192.0.2.53", Form: "json", Changed: true, Strict: true},
		"--format \"xml\" is not known": {Form: "xml"},
		"--offline and --online do not go together":            {Offline: true, Online: true},
		"--offline and --resolver do not go together":          {Offline: true, Resolver: "192.0.2.53"},
		"--changed and --format prometheus do not go together": {Changed: true, Form: "prometheus"},
	} {
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
