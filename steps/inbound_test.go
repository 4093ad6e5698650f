package steps_test

import (
	"strings"
	"testing"

	"mailsetup/internal/inbound"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// In a directory nothing is asked by Postfix that is not there, and nothing is lost.
func TestIncomingMailBelowRoot(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.Inbound = inbound.Policy{SPF: "reject", DMARC: "mark", DNSBL: []string{"bl.spamcop.net=127.0.0.2"}}
	list, there := steps.WithoutInbound(steps.All(), in)
	want, err := steps.Build(list, there)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, n := range want.Notes {
		if n.Topic == "inbound" && strings.HasSuffix(n.Text, "keeps it for init on the machine itself") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times: %+v", told, want.Notes)
	}
	for _, st := range want.Stages {
		for _, e := range st.Edits {
			for _, line := range e.Settings() {
				if strings.Contains(line, "policyd") || strings.Contains(line, "spamcop") || strings.Contains(line, "opendmarc") {
					t.Errorf("%s: %s", st.Name, line)
				}
			}
		}
	}
	in.Spec.Host.Inbound = inbound.Policy{}
	if list, _ := steps.WithoutInbound(steps.All(), in); len(list) != len(steps.All())-8 {
		t.Errorf("%d steps of %d", len(list), len(steps.All()))
	}
}

// What is about incoming mail needs no zone of any domain: it does not matter that BIND is
// down, and neither a record nor a first key is made.
func TestIncomingMailWithoutZones(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Zones[0].Problem, in.Facts.Zones[0].Hint = "BIND does not run: named.service is inactive", "systemctl start named; or --dns manual"
	if _, err := steps.Build(steps.All(), in); err == nil || !strings.Contains(err.Error(), "BIND does not run") {
		t.Errorf("a run about domains: %v", err)
	}
	in.Spec.Host.Inbound = inbound.Policy{Allow: []string{"192.0.2.7"}}
	in.Scope, in.Facts.Installed["bind9"] = step.HostOnly(), false
	want, err := steps.Build(steps.All(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range want.Stages {
		for _, p := range st.Packages {
			if p.Name == "bind9" {
				t.Errorf("installs %+v", p)
			}
		}
		if (st.Name == "DNS" || st.Name == "OldKeys") && len(st.Files)+len(st.Edits)+len(st.Units)+len(st.Updates) > 0 {
			t.Errorf("%s: %+v", st.Name, st)
		}
	}
}
