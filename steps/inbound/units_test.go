package inbound_test

import (
	"fmt"
	"testing"

	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// record is what a stage does to the record of started units.
func record(stage state.Stage) string {
	for _, f := range stage.Files {
		if f.Path == "/var/lib/mailsetup/started" {
			return string(f.Content)
		}
	}
	for _, p := range stage.Discard {
		if p == "/var/lib/mailsetup/started" {
			return "gone"
		}
	}
	return ""
}

func actions(stage state.Stage) (all string) {
	for _, u := range stage.Units {
		if u.Name == "opendmarc.service" {
			all += string(u.Action) + " "
		}
	}
	return all
}

// Off leaves OpenDMARC as it was found: on the disk, running and at boot.
func TestOpenDMARCIsGivenBack(t *testing.T) {
	for _, tt := range []struct {
		name           string
		before         state.Daemon
		installed      bool // by mailsetup
		on, off        string
		recorded, back string
	}{
		{"ran and starts at boot", state.Daemon{Running: true}, false, "restart ", "restart ", "", ""},
		{"disabled", state.Daemon{Running: true, Disabled: true}, false, "restart enable ", "restart disable ", "opendmarc.service disable\n", "gone"},
		{"stopped and disabled", state.Daemon{Stopped: true, Disabled: true}, false, "restart enable ", "stop disable ", "opendmarc.service stop disable\n", "gone"},
		{"failed", state.Daemon{}, false, "restart ", "stop ", "opendmarc.service stop\n", "gone"},
		{"came with mailsetup", state.Daemon{Running: true}, true, "restart ", "stop disable ", "", "gone"},
	} {
		in := marking(debianConf)
		in.Facts.Daemons["opendmarc.service"] = tt.before
		if tt.installed {
			in.Facts.Files["/var/lib/mailsetup/started"] = []byte("opendmarc.service stop disable\n")
		}
		stage, _, err := inbound.DMARC(in)
		if err != nil || record(stage) != tt.recorded || actions(stage) != tt.on {
			t.Errorf("%s, on: %q, %q, %v", tt.name, record(stage), actions(stage), err)
		}
		if r := record(stage); r != "" {
			in.Facts.Files["/var/lib/mailsetup/started"] = []byte(r)
		}
		in = switchedOn(t, in, stage)
		if stage, _, err := inbound.DMARC(in); err != nil || record(stage) != "" {
			t.Errorf("%s, again: %q, %v", tt.name, record(stage), err)
		}
		// A failure since is not how it was found.
		in.Facts.Daemons["opendmarc.service"] = state.Daemon{}
		if stage, _, err := inbound.DMARC(in); err != nil || record(stage) != "" {
			t.Errorf("%s, failed since: %q, %v", tt.name, record(stage), err)
		}
		in.Facts.Daemons["opendmarc.service"] = state.Daemon{Running: true}
		in.Spec.Host.Inbound.DMARC = policy.Off
		stage, _, err = inbound.Retire(in)
		if err != nil || record(stage) != tt.back || actions(stage) != tt.off {
			t.Errorf("%s, off: %q, %q, %v", tt.name, record(stage), actions(stage), err)
		}
		if stage, _, err = inbound.RetireDirectories(in); err != nil || fmt.Sprint(stage.Discard) != "[/var/spool/postfix/opendmarc]" {
			t.Errorf("%s, directory: %v, %v", tt.name, stage.Discard, err)
		}
	}
}

// switchedOn is the machine once a stage has edited opendmarc.conf.
func switchedOn(t *testing.T, in step.Input, stage state.Stage) step.Input {
	t.Helper()
	text, err := edits.Block(stage.Edits[0].(state.BlockEdit), in.Facts.Files["/etc/opendmarc.conf"])
	if err != nil {
		t.Fatal(err)
	}
	in.Facts.Files["/etc/opendmarc.conf"] = text
	return in
}

// What the administrator has Postfix ask goes on running, and so does what was stopped or
// masked since, as it is; a directory at which somebody else's socket stands stays.
func TestOpenDMARCThatIsAskedGoesOn(t *testing.T) {
	in := marking(debianConf + "Socket inet:8893@localhost\n")
	stage, _, err := inbound.DMARC(in)
	if err != nil {
		t.Fatal(err)
	}
	in = switchedOn(t, in, stage)
	in.Facts.Files["/var/lib/mailsetup/started"] = []byte("a.service stop\nopendmarc.service stop disable\n")
	in.Facts.Postfix.Raw["smtpd_milters"] = "inet:localhost:8893"
	in.Facts.Postfix.Services = []state.Service{steptest.Service("smtp/inet smtpd")}
	in.Spec.Host.Inbound.DMARC = policy.Off
	if stage, _, err := inbound.Retire(in); err != nil || actions(stage) != "restart " || record(stage) != "a.service stop\n" {
		t.Errorf("asked: %q, %q, %v", actions(stage), record(stage), err)
	}
	if stage, _, err := inbound.RetireDirectories(in); err != nil || len(stage.Discard) > 0 {
		t.Errorf("%v, %v", stage.Discard, err)
	}
	in.Facts.Postfix.Raw["smtpd_milters"] = ""
	in.Facts.Daemons["opendmarc.service"] = state.Daemon{Masked: true}
	if stage, _, err := inbound.Retire(in); err != nil || actions(stage) != "" {
		t.Errorf("masked: %q, %v", actions(stage), err)
	}

	mine := marking(debianConf + "Socket local:/var/spool/postfix/opendmarc/opendmarc.sock\n")
	if stage, _, err = inbound.DMARC(mine); err != nil {
		t.Fatal(err)
	}
	mine = switchedOn(t, mine, stage)
	mine.Spec.Host.Inbound.DMARC = policy.Off
	if stage, _, err := inbound.RetireDirectories(mine); err != nil || len(stage.Discard) > 0 {
		t.Errorf("theirs: %v, %v", stage.Discard, err)
	}
}
