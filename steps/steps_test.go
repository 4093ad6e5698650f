package steps_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func TestTheOrderIsThatOfBecomingTrue(t *testing.T) {
	var names []string
	for _, s := range steptest.Build(t, steptest.Bare()).Stages {
		names = append(names, s.Name)
	}
	want := []string{"Packages", "Settings", "Keys", "DNS", "DeferMail", "OpenDKIM", "Daemons", "Reinjection", "SPF", "DMARC", "SendOnly", "Postfix", "Door", "Retired", "Directories", "OtherSigner", "Tables", "Aliases", "OldKeys", "Ledger"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestPackagesOnlyWhatIsMissing(t *testing.T) {
	got := steptest.Stage(t, steptest.Build(t, steptest.Bare()), "Packages").Packages
	if len(got) != 2 || got[0].Name != "postfix" || got[1].Name != "opendkim" {
		t.Errorf("got %v, want postfix and opendkim", got)
	}
	if got := steptest.Stage(t, steptest.Build(t, steptest.Installed()), "Packages").Packages; len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*step.Input)
		want   string
	}{
		{"a zone that is not here", func(in *step.Input) { in.Facts.Zones = nil }, "no zone here holds"},
		{
			"a zone that cannot be edited", func(in *step.Input) { in.Facts.Zones[0].Problem = "it takes dynamic updates" },
			"it takes dynamic updates",
		},
		{"a CNAME in the way", func(in *step.Input) {
			in.Facts.Zones[0].Records = []state.Record{{Name: "mail.lab.example.", Type: "CNAME", Value: "x.example."}}
		}, "mail.lab.example is a CNAME of x.example"},
		{"milters switched off in main.cf", func(in *step.Input) {
			in.Facts.Postfix.Value["receive_override_options"] = "no_header_body_checks, no_milters"
		}, "receive_override_options"},
		{"milters by client", func(in *step.Input) {
			in.Facts.Postfix.Value["smtpd_milter_maps"] = "cidr:/etc/postfix/milters"
		}, "smtpd_milter_maps"},
		{"a name server of the new zone that has no address", func(in *step.Input) {
			in.Facts.Zones, in.Spec.Domains[0].NewZone = nil, true
			in.Spec.Domains[0].NS = []string{"mail.lab.example", "ns2.lab.example"}
		}, "ns2.lab.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := steptest.Installed()
			tt.change(&in)
			_, err := steps.Build(steps.All(), in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
