package daemons_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/daemons"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// What is down or would not start at boot is planned; what somebody has stopped or
// masked is theirs, and told with the command.
func TestDaemons(t *testing.T) {
	up := state.Daemon{Running: true}
	for _, tt := range []struct {
		name    string
		daemons map[string]state.Daemon
		want    []string
		halted  string
	}{
		{"all up", map[string]state.Daemon{"named.service": up, "opendkim.service": up, "postfix@-.service": up, "postfix.service": up}, nil, ""},
		{"failed", map[string]state.Daemon{"named.service": up, "opendkim.service": {}, "postfix@-.service": {}, "postfix.service": up}, []string{"start opendkim.service", "start postfix@-.service"}, ""},
		{"disabled", map[string]state.Daemon{"opendkim.service": {Running: true, Disabled: true}, "postfix@-.service": up, "postfix.service": {Running: true, Disabled: true}}, []string{"enable opendkim.service", "enable postfix.service"}, ""},
		{"disabled and failed", map[string]state.Daemon{"named.service": {Disabled: true}}, []string{"enable named.service", "start named.service"}, ""},
		{"stopped", map[string]state.Daemon{"opendkim.service": {Stopped: true}}, nil, "systemctl start opendkim.service"},
		{"stopped and disabled", map[string]state.Daemon{"opendkim.service": {Stopped: true, Disabled: true}}, nil, "systemctl enable --now opendkim.service"},
		{"stopped instance", map[string]state.Daemon{"postfix@-.service": {Stopped: true}, "postfix.service": up}, nil, "systemctl start postfix.service"},
		{"masked", map[string]state.Daemon{"postfix@-.service": {}, "postfix.service": {Masked: true}}, nil, "systemctl unmask postfix.service && systemctl start postfix.service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := steptest.Installed()
			in.Facts.Postfix.Unit, in.Facts.Daemons = "postfix@-.service", tt.daemons
			stage, _, err := daemons.Start(in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range stage.Units {
				if !u.Always {
					t.Errorf("%s is not due", u.Name)
				}
				got = append(got, string(u.Action)+" "+u.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("planned %q, want %q", got, tt.want)
			}
			do := ""
			for _, h := range daemons.Halted(in) {
				do = h.Action
			}
			if do != tt.halted {
				t.Errorf("halted: %q, want %q", do, tt.halted)
			}
		})
	}
}

// BIND is none of ours where records are published elsewhere.
func TestDaemonsWithoutZones(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.DNS = spec.DNSManual
	in.Facts.Daemons = map[string]state.Daemon{"named.service": {Disabled: true}}
	if stage, _, _ := daemons.Start(in); len(stage.Units) > 0 || len(daemons.Halted(in)) > 0 {
		t.Errorf("planned %+v, halted %+v", stage.Units, daemons.Halted(in))
	}
}

// Nor where the run is about the host and no domain: it publishes nothing.
func TestDaemonsOfTheHostAlone(t *testing.T) {
	for _, is := range []state.Daemon{{Stopped: true}, {Masked: true}, {Disabled: true}} {
		in := steptest.Installed()
		in.Facts.Daemons = map[string]state.Daemon{"named.service": is, "opendkim.service": {Stopped: true}}
		in.Scope = step.HostOnly()
		stage, _, _ := daemons.Start(in)
		if halted := daemons.Halted(in); len(stage.Units) > 0 || len(halted) != 1 || halted[0].Unit != "opendkim.service" {
			t.Errorf("%+v: planned %+v, halted %+v", is, stage.Units, halted)
		}
	}
}

// Nor is one that is masked because another name server answers here: --dns bind
// is refused for that reason, and nobody is told to start two.
func TestDaemonsBesideAnotherNameServer(t *testing.T) {
	in := steptest.Installed()
	in.Facts.DNS, in.Facts.Daemons = state.Dnsmasq, map[string]state.Daemon{"named.service": {Masked: true}}
	for _, h := range daemons.Halted(in) {
		t.Errorf("halted: %+v", h)
	}
}

// Where all mail is left to another signer, nobody misses OpenDKIM.
func TestDaemonsWithoutASigner(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Daemons = map[string]state.Daemon{"opendkim.service": {}}
	if stage, _, _ := daemons.Start(in); len(stage.Units) != 1 {
		t.Errorf("it signs, and %+v is planned", stage.Units)
	}
	in.Ledger, in.Spec.Domains[0].SignedBy = nil, "inet:localhost:11332"
	if stage, _, _ := daemons.Start(in); len(stage.Units) > 0 || len(daemons.Halted(in)) > 0 {
		t.Errorf("planned %+v", stage.Units)
	}
}

// A Postfix that was just installed begins behind all that is set up: nothing reloads it
// before, and what would ask it then asks it once it runs.
func TestAPostfixThatIsNew(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Unit, in.Facts.Daemons = "postfix@-.service", map[string]state.Daemon{
		"named.service": {Running: true}, "opendkim.service": {Running: true}, "postfix@-.service": {New: true}, "postfix.service": {New: true},
	}
	in.Facts.SMTPAddress = ""
	in.Facts.Postfix.Value["inet_interfaces"], in.Facts.Postfix.Services = "all", []state.Service{{Name: "smtp/inet", Command: "smtpd"}}
	want := steptest.Build(t, in)
	started := false
	for _, st := range want.Stages {
		for _, u := range st.Units {
			switch {
			case u.Name == "opendkim.service" && started:
				t.Errorf("the signer starts behind Postfix")
			case !strings.HasPrefix(u.Name, "postfix"):
			case st.Name == "Door" && started:
			case st.Name != "Postfix" || u.Action != state.Start || !u.Always:
				t.Errorf("%s: %s %s", st.Name, u.Action, u.Name)
			default:
				started = true
				var asks []state.ProbeKind
				for _, p := range u.Probes {
					asks = append(asks, p.Kind)
				}
				if !slices.Contains(asks, state.ProbePostfix) || !slices.Contains(asks, state.ProbeSMTP) {
					t.Errorf("it is asked %v", asks)
				}
			}
		}
	}
	if !started {
		t.Error("nothing starts it")
	}
	in.Facts.Daemons["postfix@-.service"] = state.Daemon{Running: true}
	in.Facts.SMTPAddress = "127.0.0.1:25"
	for _, st := range steptest.Build(t, in).Stages {
		for _, u := range st.Units {
			if u.Action == state.Start {
				t.Errorf("one that runs: %s: %+v", st.Name, u)
			}
		}
	}
}

// The plan of a run that installs Postfix says already that it starts behind all that is set up.
func TestAPostfixToBeInstalled(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.SendOnly = true
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].Receive = false
	}
	var acts []string
	for _, st := range steptest.Build(t, in).Stages {
		if st.Name == "SendOnly" && len(st.Edits) != 1 {
			t.Errorf("SendOnly: %+v", st)
		}
		for _, u := range st.Units {
			if strings.HasPrefix(u.Name, "postfix") {
				acts = append(acts, st.Name+": "+string(u.Action)+" "+u.Name)
			}
		}
	}
	if want := []string{"Postfix: start postfix.service"}; !slices.Equal(acts, want) {
		t.Errorf("%q", acts)
	}
}
