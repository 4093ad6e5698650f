package steps

import (
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Packages provides the daemons. It is a checkpoint: what apt did is not taken
// back by a later failure.
func Packages(in Input) (state.Stage, []state.Note, error) {
	stage := state.Stage{Checkpoint: true}
	for _, p := range needed(in) {
		if p.Name == "postfix" && in.Facts.OtherMTA != nil {
			p.Why += " in the place of " + in.Facts.OtherMTA.Package
		}
		if !in.Facts.Installed[p.Name] {
			stage.Packages = append(stage.Packages, p)
		}
	}
	stage.Questions = in.Unanswered(append(otherRelease(in.Facts.Release), replacing(in.Facts)...)...)
	return stage, replaced(in), nil
}

func needed(in Input) []state.Package {
	want := []state.Package{{Name: "postfix", Why: "sends and receives mail"}}
	if !in.SignsNothing() {
		want = append(want, state.Package{Name: "opendkim", Why: "signs it"})
	}
	if in.Spec.Host.DNS == spec.DNSBind {
		want = append(want, state.Package{Name: "bind9", Why: "serves the records"})
	}
	return want
}
