package steps

import (
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Packages provides the daemons. It is a checkpoint: a later failure does not remove
// packages.
func Packages(in step.Input) (state.Stage, []state.Note, error) {
	stage := state.Stage{Checkpoint: true}
	for _, p := range missingPackages(in) {
		if isExim := strings.HasPrefix(p.Name, "exim4-daemon-"); isExim && in.Facts.Installed["postfix"] {
			p.Why += " in the place of postfix"
		} else if (p.Name == "postfix" || isExim) && in.Facts.OtherMTA != nil {
			p.Why += " in the place of " + in.Facts.OtherMTA.Package
		}
		if !in.Facts.Installed[p.Name] {
			stage.Packages = append(stage.Packages, p)
		}
	}
	stage.Questions = in.Unanswered(append(otherRelease(in.Facts.Release), replaceQuestion(in)...)...)
	if in.Spec.Host.MTA == spec.Exim {
		return stage, replacedPostfix(in.Facts), nil
	}
	return stage, replacedMTA(in), nil
}

func missingPackages(in step.Input) []state.Package {
	want := []state.Package{{Name: "postfix", Why: "sends and receives mail"}}
	if in.Spec.Host.MTA == spec.Exim {
		want[0].Name, want[0].Why = "exim4-daemon-light", "sends, signs and receives mail"
		switch {
		case in.Facts.Installed[inbound.EximSPFPackage]:
			want = nil
		case inbound.NeedsEximSPF(in):
			want[0].Name, want[0].Why = inbound.EximSPFPackage, want[0].Why+", and checks SPF"
		}
	} else if !in.SignsNothing() {
		want = append(want, state.Package{Name: "opendkim", Why: "signs it"})
	}
	if records.UsesBIND(in.Spec, in.Spec.Host.DNS) && !in.Scope.IsHostOnly() {
		want = append(want, state.Package{Name: "bind9", Why: "serves the records"})
	}
	return append(want, inbound.Packages(in)...)
}
