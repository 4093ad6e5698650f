package sendonly_test

import (
	"slices"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// stage returns the stage of a server that only sends.
func stage(t *testing.T, in step.Input, change func(*step.Input)) state.Stage {
	t.Helper()
	in.Spec.Host.SendOnly, in.Spec.Host.RootAlias = true, "ops@elsewhere.example"
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].Receive = false
	}
	change(&in)
	return steptest.Stage(t, steptest.Build(t, in), "SendOnly")
}

// The mail server listens to this machine alone, and is started again for it. One that
// does already stays as it is, however that is written.
func TestNothingFromOutside(t *testing.T) {
	postfix := func(listens string) func(*step.Input) {
		return func(in *step.Input) { in.Facts.Postfix.Value["inet_interfaces"] = listens }
	}
	exim := func(listens string) func(*step.Input) {
		return func(in *step.Input) { in.Facts.Exim.Interfaces = listens }
	}
	for _, tt := range []struct {
		name   string
		in     step.Input
		change func(*step.Input)
		set    string // "" for nothing to do
	}{
		{"Postfix", steptest.Installed(), postfix("all"), "/etc/postfix/main.cf: inet_interfaces = loopback-only"},
		{"Postfix on an address", steptest.Installed(), postfix("192.0.2.10, localhost"), "/etc/postfix/main.cf: inet_interfaces = loopback-only"},
		{"a null client", steptest.Installed(), postfix("loopback-only"), ""},
		{"by address", steptest.Installed(), postfix("127.0.0.1, [::1]"), ""},
		{"exim4", steptest.Exim(false), exim(""), "/etc/exim4/update-exim4.conf.conf: dc_local_interfaces='127.0.0.1 ; ::1'"},
		{"exim4 on an address", steptest.Exim(true), exim("127.0.0.1 ; 192.0.2.10"), "/etc/exim4/update-exim4.conf.conf: dc_local_interfaces='127.0.0.1 ; ::1'"},
		{"Debian's exim4", steptest.Exim(false), exim("127.0.0.1 ; ::1"), ""},
		{"without IPv6", steptest.Exim(false), exim("127.0.0.1"), ""},
		{"an exim4 to be installed", steptest.Exim(false), func(in *step.Input) { in.Facts.Exim = nil }, "/etc/exim4/update-exim4.conf.conf: dc_local_interfaces='127.0.0.1 ; ::1'"},
		{"not asked for", steptest.Installed(), func(in *step.Input) { in.Spec.Host.SendOnly = false }, ""},
	} {
		st := stage(t, tt.in, tt.change)
		if tt.set == "" {
			if len(st.Edits)+len(st.Units) > 0 {
				t.Errorf("%s: %v, %v", tt.name, st.Edits, st.Units)
			}
			continue
		}
		if len(st.Edits) != 1 || len(st.Units) != 1 || st.Units[0].Action != state.Restart || len(st.Validators) != 1 {
			t.Errorf("%s: %+v", tt.name, st)
			continue
		}
		if got := string(st.Edits[0].Target()) + ": " + st.Edits[0].Settings()[0]; got != tt.set {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// It is about the host: a run about one of its domains leaves it alone.
func TestOnlyInRunsAboutTheHost(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	in.Spec.Host.SendOnly, in.Scope = true, step.Only("shop.example")
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].Receive = false
	}
	want, err := steps.Build(steps.All(), in)
	if err != nil || slices.ContainsFunc(want.Stages, func(s state.Stage) bool { return s.Name == "SendOnly" }) {
		t.Errorf("%v %v", err, want.Stages)
	}
}
